// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/demo_model.h"

#include "app/bundled/bundled.h"
#include "app/cli/table.h"
#include "app/samples/sample_request.h"
#include "core/cost/model_cost.h"
#include "core/measure/evaluate.h"
#include "core/plan/apply_plan.h"

#include <nlohmann/json.hpp>

#include <cmath>

namespace tamis::cli {
namespace {
constexpr std::size_t kTextWindows = 24; // of 44: some seconds

std::string line(const std::string& name, const std::string& value, const std::string& baseline)
{
    return "| " + name + " | " + value + " | " + baseline + " |\n";
}

std::string measured(const report::Measured& value, bool asPercent)
{
    return !value.present() ? "-" : asPercent ? percent(value.mean, 2) : significant(value.mean);
}
} // namespace

DemoModel computeDemoModel(const spectrum::Inputs& inputs, const plan::Plan& plan, const RunContext& context)
{
    context.setParts(10);
    DemoModel result;
    const auto photosContext = context.part(6, "running the plan on photos");
    photosContext.setParts(4);
    const auto model = nn::Model::load(*inputs.checkpoint, photosContext.part(1, "loading"));
    const auto compressed = plan::applyPlan(*model, inputs.checkpoint, inputs.calibration, plan, photosContext.part(1, "applying the plan"));
    app::SampleRequest photos;
    photos.images = app::bundledPhotos();
    photos.squash = true;
    const auto source = app::openSamples(photos, app::bundledModel(), *model, context);
    result.photos = measure::evaluate(*model, compressed.get(), *source, {}, photosContext.part(2, "evaluating"));
    result.photos.inputs = source->description();
    cost::CostOptions options;
    result.cost = cost::modelCost(*model, options);

    const auto textContext = context.part(4, "running tinylm on text");
    textContext.setParts(4);
    const auto folder = app::bundledDatasets() / "tinylm";
    const auto language = nn::Model::load(*io::Checkpoint::open(folder, textContext), textContext.part(1, "loading"));
    app::SampleRequest text;
    text.text = app::bundledDatasets() / "text" / "heldout.txt";
    text.limit = kTextWindows;
    const auto windows = app::openSamples(text, folder, *language, context);
    result.text = measure::evaluate(*language, nullptr, *windows, {}, textContext.part(3, "evaluating"));
    result.text.inputs = windows->description();
    return result;
}

std::vector<DemoChart> demoModelCharts(const DemoModel& model)
{
    DemoChart depth{"error-depth", "Relative error after each block, accumulated and of the block alone", "vit20 at keep 0.6, greedy; " + model.photos.inputs,
                    "block", "relative error", false, false, {}};
    report::Series accumulated{"accumulated", {}}, own{"of the block alone", {}, false, true};
    for (const auto& layer : model.photos.layers) {
        accumulated.points.push_back({static_cast<double>(layer.block), layer.relativeError});
        own.points.push_back({static_cast<double>(layer.block), layer.ownError});
    }
    depth.series = {std::move(accumulated), std::move(own)};
    DemoChart costs{"layer-macs", "MACs of every layer, one photo", "vit20, " + std::to_string(model.cost.tokens) + " tokens", "layer, in the order they run", "MMAC", false, false, {}};
    report::Series macs{"dense", {}};
    for (const auto& layer : model.cost.layers)
        if (layer.macs > 0)
            macs.points.push_back({static_cast<double>(macs.points.size() + 1), static_cast<double>(layer.macs) * 1e-6});
    costs.series = {std::move(macs)};
    return {std::move(depth), std::move(costs)};
}

std::string demoModelMarkdown(const DemoModel& model)
{
    const auto& f = model.photos.fidelity;
    std::string text = "\n## What the compressed model still does\n\n" + model.photos.inputs + ".\n\n| | compressed | dense |\n| --- | --- | --- |\n" +
                       line("top-1 agreement", measured(f.agreement, true), "-") + line("KL divergence, nats", measured(f.kl, false), "-") +
                       line("logit cosine", measured(f.logitCosine, false), "-") +
                       line("milliseconds a photo", significant(model.photos.cost.latencyMs), significant(model.photos.baselineCost.latencyMs)) +
                       "\nA dense photo costs " + significant(static_cast<double>(model.cost.macs) * 1e-6) + " MMAC and holds at most " +
                       byteSize(model.cost.peakActivationBytes) + " of activations at once (at " + model.cost.peakAt + ").\n\n" +
                       "tinylm, the bundled language model, on " + model.text.inputs + ": perplexity " + measured(model.text.quality.perplexity, false) +
                       " a token, " + measured(model.text.quality.bitsPerByte, false) + " bits a byte.\n";
    return text;
}

nlohmann::ordered_json demoModelJson(const DemoModel& model)
{
    const auto orNull = [](double value) { return std::isnan(value) ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(value); };
    const auto& f = model.photos.fidelity;
    return {{"photos", {{"inputs", model.photos.inputs}, {"agreement", orNull(f.agreement.mean)}, {"kl", orNull(f.kl.mean)}, {"logitCosine", orNull(f.logitCosine.mean)}}},
            {"text", {{"inputs", model.text.inputs}, {"perplexity", orNull(model.text.quality.perplexity.mean)}, {"bitsPerByte", orNull(model.text.quality.bitsPerByte.mean)}}},
            {"cost", {{"macs", model.cost.macs}, {"peakActivationBytes", model.cost.peakActivationBytes}}}};
}

} // namespace tamis::cli
