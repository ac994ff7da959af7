// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/sample_options.h"

#include "app/cli/usage_error.h"

namespace tamis::cli {

void declareSamples(OptionSet& set, SampleOptions& options, const std::string& limitFlag)
{
    set.text("--images", options.images, "DIR", "Photos: a folder, searched with its subfolders");
    set.text("--labels", options.labels, "FILE", "Classes of the photos: lines of file<TAB>class index, relative to DIR; only those are read");
    set.text("--tokens", options.tokens, "FILE", "Token ids: .npy, or a text of numbers");
    set.text("--text", options.text, "FILE", "A text, through the model's tokenizer.json");
    set.integer("--context", options.context, 2, 1'000'000, "Tokens a window (512, or as many as the model has positions)");
    set.integer("--stride", options.stride, 1, 1'000'000, "Tokens from one window to the next (the context: windows side by side)");
    set.integer(limitFlag, options.limit, 1, 1'000'000'000, "Run on this many samples, evenly spread over those there are (all)");
    set.choice("--resize", options.resize, {"config", "squash"}, "Photos as the model's files say, or straight to its size (config)");
}

app::SampleRequest requestFrom(const SampleOptions& options)
{
    if (!options.images.empty() + !options.tokens.empty() + !options.text.empty() != 1)
        throw UsageError("expected exactly one of --images, --tokens and --text");
    if (!options.labels.empty() && options.images.empty())
        throw UsageError("--labels belongs to --images");
    return {options.images, options.labels, options.tokens, options.text, {options.context, options.stride}, static_cast<std::size_t>(options.limit),
            options.resize == "squash"};
}

} // namespace tamis::cli
