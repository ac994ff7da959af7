// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/console.h"
#include "app/cli/json_output.h"
#include "app/cli/sample_options.h"
#include "app/cli/table.h"
#include "app/cli/usage_error.h"
#include "app/cli/verbs.h"
#include "core/io/checkpoint.h"
#include "core/measure/capture.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace tamis::cli {
namespace {
using nlohmann::ordered_json;

struct CaptureArguments {
    std::string model, out, heldOut = "0.2";
    SampleOptions samples;
    std::int64_t rows = 128, heldOutRows = 64;
    bool gradients = false, resume = false;
};

double fractionFrom(const std::string& text)
{
    char* end = nullptr;
    const double value = std::strtod(text.c_str(), &end);
    if (text.empty() || *end != '\0' || !(value >= 0) || value >= 1)
        throw UsageError("--heldout: found '" + text + "', expected a fraction of at least 0 and below 1");
    return value;
}

ordered_json toJson(const measure::CaptureReport& report, const CaptureArguments& arguments, const std::string& model, const std::string& inputs)
{
    ordered_json sites = ordered_json::array();
    for (const auto& site : report.sites)
        sites.push_back({{"name", site.name}, {"features", site.features}, {"count", site.count},
                         {"sharedWith", site.sharedWith.empty() ? ordered_json(nullptr) : ordered_json(site.sharedWith)}});
    return {{"schema", "tamis.capture/1"}, {"out", arguments.out}, {"model", {{"path", arguments.model}, {"hash", model}}}, {"inputs", inputs},
            {"samples", report.samples}, {"heldOutSamples", report.heldOutSamples}, {"tokens", report.tokens}, {"resumedFrom", report.resumedFrom},
            {"sites", std::move(sites)}, {"warnings", ordered_json::array()}, {"seconds", report.seconds}};
}

std::string described(const measure::CaptureReport& report, const CaptureArguments& arguments)
{
    Table table({"site", "features", "tokens", "shares the input of"}, 1);
    for (const auto& site : report.sites)
        table.add({site.name, std::to_string(site.features), grouped(site.count), site.sharedWith.empty() ? "-" : site.sharedWith});
    std::string text = table.text() + "\n" + grouped(report.samples) + " samples, " + grouped(report.tokens) + " tokens, "
                       + grouped(report.heldOutSamples) + " samples held out, " + fixed(report.seconds, 1) + " s";
    if (report.resumedFrom > 0)
        text += " (" + grouped(report.resumedFrom) + " samples were done before)";
    return text + "\nwrote " + arguments.out + "\n";
}

void run(Console& console, const CaptureArguments& arguments)
{
    const auto request = requestFrom(arguments.samples);
    measure::CaptureOptions options;
    options.heldOut = fractionFrom(arguments.heldOut);
    const auto& context = console.context();
    context.setParts(20);
    const auto checkpoint = io::Checkpoint::open(arguments.model, context.part(0.2, "opening"));
    const auto model = nn::Model::load(*checkpoint, context.part(0.4, "loading"));
    const auto source = app::openSamples(request, arguments.model, *model, context.part(0.2, "opening the samples"));
    options.out = arguments.out;
    options.modelSha256 = checkpoint->sha256(context.part(0.2, "hashing"));
    options.rows = static_cast<std::uint64_t>(arguments.rows);
    options.heldOutRows = static_cast<std::uint64_t>(arguments.heldOutRows);
    options.seed = static_cast<std::uint64_t>(console.common().seed.value_or(0));
    options.gradients = arguments.gradients ? checkpoint.get() : nullptr;
    options.resume = arguments.resume;
    console.beginWriting();
    const auto report = measure::captureCalibration(*model, *source, options, context.part(19, "capturing"));
    console.print(described(report, arguments));
    console.finish(toJson(report, arguments, options.modelSha256, source->description()));
}

void declare(OptionSet& set, CaptureArguments& arguments)
{
    set.positional("MODEL", arguments.model, "Checkpoint that runs: a file or a directory");
    declareSamples(set, arguments.samples, "--samples");
    set.text("--out", arguments.out, "CALIB.h5", "Calibration set to write", true);
    set.text("--heldout", arguments.heldOut, "F", "Share of the samples that is held out (0.2); 0: none");
    set.integer("--rows", arguments.rows, 0, 1'000'000, "Sample rows kept of every linear input (128)");
    set.integer("--heldout-rows", arguments.heldOutRows, 0, 1'000'000, "Held-out rows kept of every linear input (64)");
    set.flag("--grad", arguments.gradients, "Mean-squared gradients at the outputs too (ViT and LLaMA families)");
    set.flag("--resume", arguments.resume, "Go on where an interrupted capture to the same file stopped");
}
} // namespace

Verb verbCapture()
{
    const auto arguments = std::make_shared<CaptureArguments>();
    return {"capture", "Run a model over samples and keep what its linear inputs look like",
            "  tamis-cli capture datasets/vit20 --images photos --out calibration.h5\n"
            "  tamis-cli capture datasets/vit20 --images photos --labels photos.tsv --grad --samples 1000 --out calibration.h5\n"
            "  tamis-cli capture MODEL --tokens tokens.npy --context 1024 --heldout 0.1 --out calibration.h5 --resume",
            [arguments](OptionSet& set) { declare(set, *arguments); },
            [arguments](Console& console) { run(console, *arguments); }};
}

} // namespace tamis::cli
