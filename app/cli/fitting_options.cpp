// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/fitting_options.h"

#include "app/cli/usage_error.h"

#include <system_error>

namespace tamis::cli {

void declareFitting(OptionSet& set, FittingOptions& options, const std::string& prefix)
{
    set.text("--fit-images", options.images, "DIR", prefix + "photos whose first 8 operators are fitted to, where a method is (the first of the samples, at most half; the rest are scored)");
    set.text("--fit-tokens", options.tokens, "FILE", prefix + "token ids to fit to, for language models");
}

std::shared_ptr<const measure::SampleSource> openFitting(const FittingOptions& options, const SampleOptions& scored, const std::filesystem::path& modelPath, const nn::Model& model,
                                                         const RunContext& context)
{
    if (options.images.empty() && options.tokens.empty())
        return nullptr;
    std::error_code none; // of a path that is not there: opening says so
    if ((!options.images.empty() && !scored.images.empty() && std::filesystem::equivalent(options.images, scored.images, none)) ||
        (!options.tokens.empty() && !scored.tokens.empty() && std::filesystem::equivalent(options.tokens, scored.tokens, none)))
        throw UsageError("--fit-" + std::string(options.images.empty() ? "tokens" : "images") + ": found the samples that are scored, expected others (without the option the first are fitted to, the rest scored)");
    app::SampleRequest request{.images = options.images, .labels = {}, .tokens = options.tokens};
    request.windows = {.context = scored.context, .stride = 0};
    request.squash = scored.resize == "squash";
    return app::openSamples(request, modelPath, model, context);
}

} // namespace tamis::cli
