// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/run_tokens.h"

#include "app/cli/json_output.h"
#include "app/cli/method_choice.h"
#include "app/cli/run_inputs.h"
#include "app/cli/table.h"
#include "app/cli/token_overlays.h"
#include "app/cli/token_plan.h"
#include "app/cli/training_output.h"
#include "app/cli/usage_error.h"
#include "core/base/error.h"
#include "core/inputs/label_file.h"
#include "core/io/checkpoint.h"
#include "core/measure/forward.h"
#include "core/tokens/comparison.h"
#include "core/tokens/folder_run.h"
#include "core/tokens/method.h"
#include "core/tokens/row_sums.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <map>
#include <memory>

namespace tamis::cli {
namespace {
using nlohmann::ordered_json;
using report::TokenPoint;

void requireOptions(const RunOptions& options)
{
    if (options.model.empty())
        throw UsageError("--model is required: the vision transformer whose tokens are reduced");
    requirePhotos(options);
    if (options.features && options.out.empty())
        throw UsageError("--features are files of --out, expected a directory for them");
    if (!options.store.empty() || !options.encoder.empty())
        throw UsageError("--store and --encoder do not belong to tokens.*");
}

/// labels.txt beside the weights, where there is one with a name for every class.
std::vector<std::string> classNamesOf(const std::filesystem::path& path, const nn::Model& model)
{
    const auto file = (std::filesystem::is_directory(path) ? path : path.parent_path()) / "labels.txt";
    if (model.spec().classes < 1 || !std::filesystem::exists(file))
        return {};
    auto names = inputs::readClassNames(file);
    return static_cast<std::int64_t>(names.size()) == model.outputWidth() ? names : std::vector<std::string>{};
}

/// Of the linear operators.
struct Size {
    std::uint64_t parameters = 0, bytes = 0;
};

Size sizeOf(const nn::Model& model)
{
    Size size;
    for (const auto* slot : model.linears()) {
        size.parameters += slot->op->cost().parameters;
        size.bytes += slot->op->cost().bytes;
    }
    return size;
}

struct Everything {
    TokenPoint whole;
    tokens::FolderRun run;
    tokens::Latency latency;
    std::vector<std::string> names, warnings;
    std::int64_t prefix = 0;
    Size wholeSize, reducedSize;
    std::int64_t batch = 0;
    std::string sumsOf;                            ///< the photo whose attention was summed; empty: none
    std::vector<tokens::AttentionSums> attention;  ///< [blocks] of the whole model
};

/// Beside a score: why a token's own row of the attention is none. Of the first photo.
void addAttentionSums(Everything& all, const nn::Model& model, const measure::SampleSource& source, const RunContext& context)
{
    measure::LoadedSample sample;
    measure::loadChecked(source, 0, model, sample);
    nn::Scratch scratch(true, context);
    all.attention = tokens::attentionSums(model, sample.view(), scratch);
    all.sumsOf = source.name(0);
}

ordered_json orNull(double value) { return std::isfinite(value) ? ordered_json(value) : ordered_json(nullptr); }

ordered_json costJson(const Size& size, const TokenPoint& point, double latencyMs)
{
    return {{"parameters", size.parameters}, {"bytes", size.bytes}, {"macs", point.macs}, {"latencyMs", orNull(latencyMs)}};
}

ordered_json qualityJson(const TokenPoint& point)
{
    return {{"top1", orNull(point.top1)}, {"agreement", orNull(point.agreement)}, {"kl", orNull(point.kl)}, {"tokensKept", point.tokensKept}};
}

ordered_json classJson(const report::ClassProbability& best, const std::vector<std::string>& names)
{
    if (best.index < 0)
        return nullptr;
    const auto index = static_cast<std::size_t>(best.index);
    return {{"label", index < names.size() ? names[index] : std::to_string(best.index)}, {"index", best.index}, {"p", best.probability}};
}

/// Patches from 0, row by row: those that a token still stands for, and the groups of those that share one.
ordered_json photoJson(const tokens::PhotoRun& photo, const Everything& all)
{
    ordered_json kept = ordered_json::array(), groups = ordered_json::array();
    std::map<std::int32_t, std::vector<std::int64_t>> members;
    for (std::size_t source = static_cast<std::size_t>(all.prefix); source < photo.row.size(); ++source)
        if (photo.row[source] >= 0) {
            const auto patch = static_cast<std::int64_t>(source) - all.prefix;
            kept.push_back(patch);
            members[photo.row[source]].push_back(patch);
        }
    for (const auto& [row, patches] : members)
        if (patches.size() > 1)
            groups.push_back(patches);
    ordered_json counts = ordered_json::array();
    for (const auto& block : photo.tokens)
        counts.push_back(block.mlp);
    ordered_json json{{"file", photo.file}, {"kept", std::move(kept)}, {"groups", std::move(groups)}, {"topBefore", classJson(photo.before, all.names)},
                      {"topAfter", classJson(photo.after, all.names)}, {"macs", photo.macs}, {"tokensPerLayer", std::move(counts)}, {"embeddingShift", photo.embeddingShift}, {"unmergedShift", orNull(photo.unmergedShift)}};
    if (!photo.remark.empty())
        json["remark"] = photo.remark;
    if (photo.label >= 0)
        json["label"] = photo.label;
    return json;
}

/// What the chain was made from.
struct Made {
    tokens::Chain chain;
    Parameters parameters; ///< that it was made with
    std::shared_ptr<const tokens::TrainedParts> trained; ///< null where the method trains nothing
    std::string photos;    ///< of --train-images, in words; empty: none
    std::vector<std::string> warnings;
    double trainSeconds = 0;
};

void addTraining(ordered_json& document, const RunOptions& options, const Made& made)
{
    if (!options.trainImages.empty())
        document["inputs"]["trainImages"] = {{"path", options.trainImages}, {"description", made.photos}};
    if (!made.trained)
        return;
    if (!options.trained.empty())
        document["inputs"]["trained"] = options.trained;
    if (!made.trained->losses.empty()) {
        document["training"] = seriesJson(made.trained->losses);
        document["trainSeconds"] = made.trainSeconds;
    }
    if (!options.saveTrained.empty())
        document["stored"] = {{"trained", options.saveTrained}};
}

ordered_json attentionJson(const Everything& all)
{
    ordered_json blocks = ordered_json::array();
    for (std::size_t block = 0; block < all.attention.size(); ++block)
        blocks.push_back({{"block", block}, {"furthestFromOne", all.attention[block].furthestRowSum()}, {"leastReceived", all.attention[block].leastReceived}, {"mostReceived", all.attention[block].mostReceived}});
    return {{"file", all.sumsOf}, {"blocks", std::move(blocks)}};
}

ordered_json documentOf(const RunOptions& options, const Parameters& parameters, const Everything& all, const std::string& samples)
{
    ordered_json document{{"schema", "tamis.run/1"}, {"method", options.method}, {"parameters", toJson(parameters)}};
    document["inputs"] = {{"model", {{"path", options.model}}}, {"images", {{"path", options.samples.images}, {"description", samples}, {"count", all.run.photos.size()}}}};
    document["cost"] = costJson(all.reducedSize, all.run.point, all.latency.reducedMs);
    document["baseline"] = {{"method", "whole"}, {"cost", costJson(all.wholeSize, all.whole, all.latency.wholeMs)}, {"quality", qualityJson(all.whole)}};
    document["quality"] = qualityJson(all.run.point);
    document["quality"]["embeddingShift"] = orNull(all.run.embeddingShift);
    document["quality"]["unmergedShift"] = orNull(all.run.unmergedShift);
    document["tokensPerLayer"] = all.run.point.tokensPerLayer;
    const double promised = static_cast<double>(all.whole.macs) / static_cast<double>(all.run.point.macs), measured = all.latency.wholeMs / all.latency.reducedMs;
    document["latency"] = {{"batch", all.batch}, {"wholeMs", orNull(all.latency.wholeMs)}, {"reducedMs", orNull(all.latency.reducedMs)}, {"matchingMs", orNull(all.latency.matchingMs)},
                           {"speedUp", orNull(measured)}, {"speedUpOfMacs", promised}};
    if (!all.attention.empty())
        document["attentionRowSums"] = attentionJson(all);
    document["images"] = ordered_json::array();
    for (const auto& photo : all.run.photos)
        document["images"].push_back(photoJson(photo, all));
    document["warnings"] = ordered_json::array();
    for (const auto& warning : all.warnings)
        addWarning(document, warning);
    return document;
}

std::string attentionText(const Everything& all)
{
    if (all.attention.empty())
        return {};
    Table table({"attention of " + all.sumsOf, "furthest row sum from 1", "least received", "most received"}, 1);
    for (std::size_t block = 0; block < all.attention.size(); ++block) {
        const tokens::AttentionSums& sums = all.attention[block];
        table.add({"block " + std::to_string(block), significant(sums.furthestRowSum()), significant(sums.leastReceived), significant(sums.mostReceived)});
    }
    return "\n" + table.text() + "a row sums to 1 whatever its token: no score; what a token receives, its column, is one\n";
}

std::string described(const RunOptions& options, const Everything& all)
{
    const TokenPoint &reduced = all.run.point, &whole = all.whole;
    Table table({options.method, "whole", "reduced"}, 1);
    const auto gmac = [](std::uint64_t macs) { return significant(static_cast<double>(macs) * 1e-9); };
    table.add({"GMAC a photo", gmac(whole.macs), gmac(reduced.macs)});
    if (std::isfinite(all.latency.wholeMs)) {
        table.add({"ms, batch " + std::to_string(all.batch), significant(all.latency.wholeMs), significant(all.latency.reducedMs)});
        table.add({"of it choosing tokens", "-", significant(all.latency.matchingMs)});
    }
    table.add({"tokens kept, mean", percent(whole.tokensKept), percent(reduced.tokensKept)});
    if (std::isfinite(reduced.top1))
        table.add({"top-1", percent(whole.top1, 2), percent(reduced.top1, 2)});
    if (std::isfinite(reduced.agreement)) {
        table.add({"agreement", percent(1, 2), percent(reduced.agreement, 2)});
        table.add({"KL, nats", "0", significant(reduced.kl)});
    }
    table.add({"embedding shift", "0", significant(all.run.embeddingShift)});
    if (std::isfinite(all.run.unmergedShift))
        table.add({"shift on the grid, unmerged", "0", significant(all.run.unmergedShift)});
    std::string text = table.text() + "\ntokens behind each block:";
    for (const double tokens : reduced.tokensPerLayer)
        text += " " + (tokens == std::floor(tokens) ? fixed(tokens, 0) : fixed(tokens, 1));
    text += "\nMACs promise a speed-up of " + fixed(static_cast<double>(whole.macs) / static_cast<double>(reduced.macs), 2);
    if (std::isfinite(all.latency.wholeMs))
        text += ", measured " + fixed(all.latency.wholeMs / all.latency.reducedMs, 2);
    text += "\n" + grouped(all.run.photos.size()) + (all.run.photos.size() == 1 ? " photo\n" : " photos\n") + attentionText(all);
    for (const auto& warning : all.warnings)
        text += "warning: " + warning + "\n";
    return text;
}

/// What may surprise: nothing saved, or none of the speed that was promised.
std::vector<std::string> warningsOf(const Everything& all)
{
    std::vector<std::string> warnings;
    if (all.run.point.macs > all.whole.macs)
        warnings.push_back("It costs more than the whole model: " + fixed(static_cast<double>(all.run.point.macs) / static_cast<double>(all.whole.macs), 3) + " times its multiply-adds.");
    else if (all.run.point.macs == all.whole.macs)
        warnings.push_back("It does as many multiply-adds as the whole model: nothing is saved.");
    else if (all.latency.reducedMs > all.latency.wholeMs)
        warnings.push_back("The reduced model is slower than the whole one at this batch, although it does fewer multiply-adds.");
    return warnings;
}

bool calibrates(const tokens::Method& method, const Parameters& parameters) { return method.calibrates && method.calibrates(parameters); }

/// Refuses what cannot be, before minutes of training.
void requireTraining(const tokens::Method& method, const Parameters& parameters, const RunOptions& options)
{
    const bool train = !options.trainImages.empty(), restore = !options.trained.empty();
    if (!method.trains() && (restore || !options.saveTrained.empty()))
        throw UsageError(std::string(restore ? "--trained" : "--save-trained") + ": " + method.declaration.id + " trains nothing, expected a method that does (tamis-cli methods lists them)");
    if (method.calibrates && !method.trains() && train && !calibrates(method, parameters))
        throw UsageError("--train-images: with these settings " + method.declaration.id + " takes nothing from photos, expected settings that do (docs/methods/" + method.declaration.id + ".md)");
    if (!method.trains() && !method.needsCalibration && !method.calibrates && train)
        throw UsageError("--train-images: " + method.declaration.id + " trains nothing, expected a method that does (tamis-cli methods lists them)");
    if (!options.trainLabels.empty() && !train)
        throw UsageError("--train-labels are of --train-images, expected those beside them");
    if (restore && train)
        throw UsageError("found --trained and --train-images, expected one of them: what is restored is trained already");
    if (restore && !options.saveTrained.empty())
        throw UsageError("found --save-trained and --trained, expected one of them: what was restored is in its file already");
    if ((method.trains() || method.needsCalibration) && !train && !restore)
        throw UsageError(method.declaration.id + (method.trains() ? " trains: --train-images is required, or --trained with what was trained" : " is fitted: --train-images is required"));
    requireWritable(options.saveTrained, "what was trained");
}

/// The parameters of a file, and those of --set, which may say how it is used and not how it was trained.
Parameters restoredParameters(const tokens::Method& method, const RunOptions& options, const tokens::TrainedParts& parts)
{
    const auto& schema = method.declaration.schema;
    Parameters parameters = schema.complete(parts.parameters);
    for (const std::string& setting : options.settings) {
        const auto equals = setting.find('=');
        const std::string name = setting.substr(0, equals);
        if (equals == std::string::npos || std::ranges::find(method.afterTraining, name) == method.afterTraining.end()) {
            std::string allowed;
            for (const std::string& each : method.afterTraining)
                allowed += (allowed.empty() ? "" : ", ") + each;
            throw UsageError("--set " + setting + " beside --trained, expected " + (allowed.empty() ? "none: what is restored has the settings it was trained with" : "only what is used after training: " + allowed));
        }
        try {
            parameters.set(name, schema.parse(name, setting.substr(equals + 1)));
        } catch (const Error& error) {
            throw UsageError(error.what());
        }
    }
    return parameters;
}

/// The chain; trained first, or from --trained, where its method trains. What was trained is written at once. `measured`: the photos of --images.
Made madeChain(Console& console, const RunOptions& options, const tokens::Method& method, const std::optional<plan::Plan>& plan, tokens::Inputs inputs,
               const std::shared_ptr<const measure::SampleSource>& measured, const RunContext& context)
{
    context.setParts(20);
    Made made;
    if (!options.trainImages.empty()) {
        inputs.calibration = app::openSamples({.images = options.trainImages, .labels = options.trainLabels}, options.model, *inputs.model, context.part(1, "opening the photos to train on"));
        made.photos = inputs.calibration->description();
    }
    if (!options.trained.empty()) {
        inputs.trained = std::make_shared<const tokens::TrainedParts>(tokens::readTrainedParts(options.trained, context.part(1, "reading")));
        inputs.trained->requireFor(method.declaration.id, inputs.checkpoint->sha256(context));
        made.parameters = restoredParameters(method, options, *inputs.trained);
    } else {
        made.parameters = tokenParameters(method, plan, options, console.common());
        if (!inputs.calibration && calibrates(method, made.parameters)) {
            inputs.calibration = measured;
            made.warnings.push_back("What " + method.declaration.id + " takes from photos is from those of --images, which it is measured on; --train-images takes others.");
        }
        if (method.trains()) {
            const auto begin = std::chrono::steady_clock::now();
            inputs.trained = std::make_shared<const tokens::TrainedParts>(method.train(inputs, made.parameters, context.part(17, "training")));
            made.trainSeconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
        }
    }
    if (!options.saveTrained.empty()) {
        console.beginWriting();
        tokens::writeTrainedParts(options.saveTrained, *inputs.trained, context);
    }
    made.chain = method.chain(inputs, made.parameters, context.part(1, "preparing"));
    made.trained = inputs.trained;
    return made;
}

/// The whole model beside the reduced one; where operators are replaced, the former is the dense model.
tokens::Latency latencyOf(const nn::Model& whole, const nn::Model& reduced, const tokens::Chain& chain, const measure::SampleSource& source, const RunOptions& options, const RunContext& context)
{
    if (&whole == &reduced)
        return tokens::measureLatency(whole, chain, source, {.batch = options.batch}, context);
    context.setParts(2);
    auto latency = tokens::measureLatency(reduced, chain, source, {.batch = options.batch}, context.part(1, "reduced"));
    latency.wholeMs = tokens::measureLatency(whole, {}, source, {.batch = options.batch}, context.part(1, "whole")).wholeMs;
    return latency;
}

/// "vit20: tokens.tome, r 8, ...": every setting.
std::string captionOf(const RunOptions& options, const Parameters& parameters)
{
    std::filesystem::path model = std::filesystem::path(options.model).lexically_normal();
    if (!model.has_filename())
        model = model.parent_path();
    std::string caption = model.filename().string() + ": " + options.method;
    for (const auto& [name, value] : parameters.all())
        caption += ", " + name + " " + toText(value);
    return caption;
}
} // namespace

void requirePhotos(const RunOptions& options)
{
    if (options.samples.images.empty())
        throw UsageError("--images is required for tokens.*: a folder of photos, or one");
    if (!options.samples.tokens.empty() || !options.samples.text.empty())
        throw UsageError("tokens.* takes photos alone, neither --tokens nor --text");
}

void runTokens(Console& console, const RunOptions& options)
{
    const auto start = std::chrono::steady_clock::now();
    const tokens::Method& method = methodAmong(tokens::methods(), options.method);
    requireOptions(options);
    (void)parametersFrom(method.declaration, options.settings, console.common()); // refused before anything is read
    const auto plan = tokenPlanOf(options, method);
    requireTraining(method, tokenParameters(method, plan, options, console.common()), options);
    const RunContext& context = console.context();
    context.setParts((method.trains() && options.trained.empty() ? 60 : 20) + (options.out.empty() ? 0 : 10));
    const auto checkpoint = io::Checkpoint::open(options.model, context.part(0.2, "opening"));
    const auto model = nn::Model::load(*checkpoint, context.part(0.3, "loading"));
    tokens::requireReducible(*model, {});
    const auto reduced = plannedModel(model, checkpoint, plan, options, context.part(plan ? 2 : 0, "the plan"));
    const tokens::Inputs inputs{reduced, nullptr, checkpoint, nullptr, {}};
    const std::shared_ptr<const measure::SampleSource> source = app::openSamples(requestFrom(options.samples), options.model, *model, context.part(1, "opening the photos"));
    const auto files = options.out.empty() ? std::vector<std::filesystem::path>() : overlayFiles(options, *model, *source);
    const Made made = madeChain(console, options, method, plan, inputs, source, context.part(method.trains() && options.trained.empty() ? 40.5 : 0.5, "preparing"));
    Everything all;
    all.names = classNamesOf(options.model, *model);
    all.prefix = model->spec().patch.prefixTokens;
    all.wholeSize = sizeOf(*model);
    all.reducedSize = sizeOf(*reduced);
    const tokens::WholeFolder whole = tokens::wholeFolder(*model, *source, context.part(7, "the whole model"));
    all.whole = tokens::wholePoint(*model, whole);
    all.run = tokens::runFolder(*reduced, made.chain, *source, whole, context.part(7, "the reduced model"), model.get());
    all.batch = options.batch;
    if (method.declaration.schema.find("score"))
        addAttentionSums(all, *model, *source, context);
    if (options.latency)
        all.latency = latencyOf(*model, *reduced, made.chain, *source, options, context.part(4, "measuring latency"));
    all.warnings = warningsOf(all);
    all.warnings.insert(all.warnings.begin(), made.warnings.begin(), made.warnings.end());
    if (made.trained)
        all.warnings.insert(all.warnings.begin(), made.trained->warnings.begin(), made.trained->warnings.end());
    if (plan && !plan->operators.empty())
        all.warnings.push_back("The multiply-adds are those of dense operators: what the plan's operators save comes on top of them.");
    if (!options.savePlan.empty()) {
        console.beginWriting();
        saveTokenPlan(plan, {options.method, made.parameters, all.run.point.tokensPerLayer}, *checkpoint, options, context.part(0.5, "hashing"));
    }
    if (!files.empty()) {
        console.beginWriting();
        writeOverlays(options,
                      {*reduced, *model, made.chain, *source, all.names, options.method, method.declaration.title, tokens::settingsText(method.declaration.schema, made.parameters),
                       captionOf(options, made.parameters)},
                      files, context.part(10, "drawing"));
    }
    ordered_json document = documentOf(options, made.parameters, all, source->description());
    addTraining(document, options, made);
    document["seconds"] = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    std::string text = described(options, all) + (made.trained ? trainingText(made.trained->losses, "photos") : "") + (options.saveTrained.empty() ? "" : "wrote " + options.saveTrained + "\n");
    if (!files.empty()) {
        document["written"] = ordered_json::array();
        for (const auto& file : files)
            document["written"].push_back(file.string());
        text += "wrote " + grouped(files.size()) + " files to " + options.out + "\n";
    }
    if (!options.savePlan.empty()) {
        document["plan"] = options.savePlan;
        text += "wrote " + options.savePlan + "\n";
    }
    console.print(text);
    console.finish(std::move(document));
}

} // namespace tamis::cli
