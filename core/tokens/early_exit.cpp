// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/early_exit.h"

#include "core/base/error.h"
#include "core/base/number_text.h"
#include "core/tokens/reduced_forward.h"
#include "core/tokens/schedule.h"
#include "core/tokens/token_training.h"
#include "core/tokens/training_photos.h"
#include "core/tokens/whole_trace.h"

#include <algorithm>
#include <numeric>

namespace tamis::tokens {
namespace {
using kernels::Rows;
constexpr std::size_t kFewestPhotos = 10;
constexpr std::size_t kCandidates = 16; ///< thresholds tried at each exit
constexpr double kRounding = 1e-5;      ///< a threshold is some photo's confidence: that of the same photo alone, in other sums of floats, reaches it too

std::uint64_t exitHeadMacs(const nn::ModelSpec& spec)
{
    return static_cast<std::uint64_t>(exitFeatureCount(spec) * spec.classes);
}

class EarlyExit final : public Route {
public:
    EarlyExit(std::shared_ptr<const nn::Model> model, std::vector<Exit> exits, ExitRule rule) : m_model(std::move(model)), m_exits(std::move(exits)), m_rule(rule)
    {
        for (const Exit& exit : m_exits)
            m_heads.push_back(nn::denseOp(exit.head.weight.view(), exit.head.bias));
    }
    void run(const nn::Sample& sample, std::span<const Wish>, Rows output, nn::Scratch& scratch, Trace* trace) const override
    {
        const nn::ModelSpec& spec = m_model->spec();
        nn::Scratch::Frame frame(scratch);
        const Rows x = frame.take(spec.tokens(0), spec.width), features = frame.take(1, exitFeatureCount(spec));
        m_model->embed(sample, x, scratch);
        std::size_t tried = 0;
        double surest = 0;
        for (std::size_t block = 0; block < spec.blocks.size(); ++block) {
            m_model->runBlock(static_cast<int>(block), x, scratch);
            if (tried == m_exits.size() || m_exits[tried].block != static_cast<int>(block))
                continue;
            exitFeatures(spec, x, features.row(0), scratch);
            m_heads[tried]->apply(features, {}, output, scratch);
            const double confidence = confidenceOf(m_rule, output.row(0));
            surest = std::max(surest, confidence);
            if (confidence >= m_exits[tried++].threshold) {
                if (trace)
                    tell(*trace, x, block + 1, tried, "left behind block " + std::to_string(block) + ", confidence " + fixedText(confidence, 2), scratch);
                return;
            }
        }
        m_model->runTail(x, {}, output, scratch, 0, nullptr, trace ? &trace->features : nullptr);
        if (!trace)
            return;
        traceFirstBlocks(spec, spec.blocks.size(), *trace);
        keepRows(*trace, x);
        addHeads(*trace, spec.blocks.size(), tried);
        trace->macs += headMacs(spec);
        trace->remark = m_exits.empty() ? "went through all blocks" : "went through all blocks, confidence " + fixedText(surest, 2) + " at most";
    }

private:
    /// The heads are part of the blocks that they stand behind.
    void addHeads(Trace& trace, std::size_t run, std::size_t tried) const
    {
        const std::uint64_t macs = exitHeadMacs(m_model->spec());
        for (std::size_t exit = 0; exit < tried; ++exit)
            if (const auto block = static_cast<std::size_t>(m_exits[exit].block); block < run) {
                trace.layers[block].macs += macs;
                trace.macs += macs;
            }
    }
    /// Features as the model's own head would see them here, so that they can be compared with the whole model's. x is spoilt.
    void tell(Trace& trace, Rows x, std::size_t run, std::size_t tried, std::string remark, nn::Scratch& scratch) const
    {
        nn::Scratch::Frame frame(scratch);
        const Rows unused = frame.take(1, m_model->outputWidth());
        m_model->runTail(x, {}, unused, scratch, 0, nullptr, &trace.features);
        traceFirstBlocks(m_model->spec(), run, trace);
        keepRows(trace, x);
        addHeads(trace, run, tried);
        trace.remark = std::move(remark);
    }
    std::shared_ptr<const nn::Model> m_model;
    std::vector<Exit> m_exits;
    std::vector<nn::LinearPtr> m_heads;
    ExitRule m_rule;
};

void requireClasses(const nn::Model& model)
{
    requireReducible(model, {});
    if (model.spec().classes < 1 || model.spec().blocks.size() < 2)
        throw Error(ErrorCode::UnsupportedFeature, "found a model without classes or of one block, expected classes and two blocks at least: exits stand behind all but the last", model.spec().architecture);
}

std::string nameOf(std::size_t block, const char* what) { return "exit." + std::to_string(block) + "." + what; }

/// Photos that the heads learn from, that their temperatures are fitted to, and that thresholds are tuned on: no photo serves two of them.
struct ExitPhotos {
    ExitFeatures training, temperatures, heldOut;
};

ExitPhotos parted(const ExitFeatures& all, bool calibrate)
{
    std::vector<std::size_t> photos(all.labels.size());
    std::iota(photos.begin(), photos.end(), std::size_t{0});
    PhotoSplit split = splitPhotos(photos);
    ExitPhotos parts{.training = {}, .temperatures = {}, .heldOut = selected(all, split.checked)};
    if (calibrate) {
        split = splitPhotos(split.trained);
        parts.temperatures = selected(all, split.checked);
    }
    parts.training = selected(all, split.trained);
    return parts;
}

TrainedTensor tensorOf(std::string name, const tensor::Matrix<float>& values)
{
    return {std::move(name), {values.rows(), values.cols()}, {values.values().begin(), values.values().end()}};
}

TrainedParts trainHeads(const Inputs& inputs, const Parameters& given, const RunContext& context)
{
    const Parameters parameters = earlyExitMethod().declaration.schema.complete(given);
    requireClasses(*inputs.model);
    requireTrainable(inputs, "tokens.early-exit");
    context.setParts(3);
    std::vector<std::string> warnings;
    const ExitFeatures all = captureExits(*inputs.model, *inputs.calibration, warnings, context.part(1, "Photos through the model"));
    if (all.labels.size() < kFewestPhotos)
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(all.labels.size()) + " photos that can be read, expected " + std::to_string(kFewestPhotos) + " at least: an eighth is kept apart", "exits");
    const bool calibrate = parameters.boolean("calibrate");
    const ExitPhotos photos = parted(all, calibrate);
    const ExitTraining settings{.labels = parameters.text("learn") == "labels", .decay = parameters.real("decay"), .steps = parameters.integer("steps"), .rate = parameters.real("rate"), .enough = inputs.enough};
    TrainedExits trained = trainExits(photos.training, photos.heldOut, settings, context.part(2, "Heads"));
    TrainedParts parts{.method = "tokens.early-exit", .parameters = parameters, .model = inputs.checkpoint->sha256(context), .losses = std::move(trained.losses), .warnings = std::move(warnings)};
    for (std::size_t block = 0; calibrate && block < trained.heads.size(); ++block)
        sharpen(trained.heads[block], sharpness(exitLogits(trained.heads[block], photos.temperatures.features[block]), exitTargets(photos.temperatures, settings.labels), context));
    for (std::size_t block = 0; block < trained.heads.size(); ++block) {
        const ExitHead& head = trained.heads[block];
        parts.tensors.push_back(tensorOf(nameOf(block, "weight"), head.weight));
        parts.tensors.push_back({nameOf(block, "bias"), {static_cast<std::int64_t>(head.bias.size())}, head.bias});
    }
    const ExitTable probability = exitTable(photos.heldOut, trained.heads, ExitRule::MaxProbability, context), entropy = exitTable(photos.heldOut, trained.heads, ExitRule::Entropy, context);
    tensor::Matrix<float> agrees(probability.agrees.rows(), probability.agrees.cols());
    std::ranges::copy(probability.agrees.values(), agrees.data());
    parts.tensors.push_back(tensorOf("heldOut.max-probability", probability.confidence));
    parts.tensors.push_back(tensorOf("heldOut.entropy", entropy.confidence));
    parts.tensors.push_back(tensorOf("heldOut.agrees", agrees));
    if (settings.labels && std::ranges::find(all.labels, -1) != all.labels.end())
        parts.warnings.push_back(std::to_string(std::ranges::count(all.labels, -1)) + " photos have no label: from them heads learn what the model says");
    return parts;
}

/// The photos kept apart at these exits.
ExitTable heldOutTable(const TrainedParts& parts, const std::string& rule, const std::vector<int>& blocks, std::size_t depth)
{
    const auto found = std::ranges::find(parts.tensors, "heldOut.agrees", &TrainedTensor::name);
    const std::int64_t photos = found == parts.tensors.end() || found->shape.empty() ? 1 : found->shape.front(), all = static_cast<std::int64_t>(depth) - 1;
    const std::vector<float>& confidence = parts.floats("heldOut." + rule, {photos, all}).values;
    const std::vector<float>& agrees = parts.floats("heldOut.agrees", {photos, all}).values;
    ExitTable table{tensor::Matrix<float>(photos, static_cast<std::int64_t>(blocks.size())), tensor::Matrix<std::uint8_t>(photos, static_cast<std::int64_t>(blocks.size()))};
    for (std::int64_t photo = 0; photo < photos; ++photo)
        for (std::size_t i = 0; i < blocks.size(); ++i) {
            const auto from = static_cast<std::size_t>(photo * all + blocks[i]);
            table.confidence(photo, static_cast<std::int64_t>(i)) = confidence[from];
            table.agrees(photo, static_cast<std::int64_t>(i)) = agrees[from] > 0.5f ? 1 : 0;
        }
    return table;
}

std::vector<int> exitBlocks(const std::string& text, std::size_t depth)
{
    std::vector<int> blocks;
    if (text == "auto") {
        for (std::size_t block = 0; block + 1 < depth; ++block)
            blocks.push_back(static_cast<int>(block));
        return blocks;
    }
    for (const std::int64_t block : parseIntegers(text, 0, static_cast<std::int64_t>(depth) - 2, "exits")) {
        if (!blocks.empty() && block <= blocks.back())
            throw Error(ErrorCode::InvalidParameter, "found block " + std::to_string(block) + " behind " + std::to_string(blocks.back()) + ", expected ascending blocks", "exits");
        blocks.push_back(static_cast<int>(block));
    }
    return blocks;
}

std::vector<double> thresholdsOf(const Parameters& parameters, const TrainedParts& parts, const std::vector<int>& blocks, const nn::ModelSpec& spec, const RunContext& context)
{
    const std::string& schedule = parameters.text("schedule");
    if (schedule != "tuned")
        return fallingThresholds(parameters.real("threshold"), schedule == "falling" ? parameters.real("slope") : 0, blocks.size());
    const ExitTable table = heldOutTable(parts, parameters.text("rule"), blocks, spec.blocks.size());
    std::vector<double> thresholds = tuneThresholds(table, exitCosts(spec, blocks), parameters.real("agreement"), candidateThresholds(table, kCandidates), context);
    for (double& threshold : thresholds)
        threshold -= kRounding;
    return thresholds;
}

Chain earlyExitChain(const Inputs& inputs, const Parameters& given, const RunContext& context)
{
    const Parameters parameters = earlyExitMethod().declaration.schema.complete(given);
    requireClasses(*inputs.model);
    const TrainedParts& parts = requireTrained(inputs, "tokens.early-exit", context);
    const nn::ModelSpec& spec = inputs.model->spec();
    const std::vector<int> blocks = exitBlocks(parameters.text("exits"), spec.blocks.size());
    const std::vector<double> thresholds = thresholdsOf(parameters, parts, blocks, spec, context);
    std::vector<Exit> exits;
    for (std::size_t i = 0; i < blocks.size(); ++i) {
        const auto block = static_cast<std::size_t>(blocks[i]);
        const std::vector<float>& weight = parts.floats(nameOf(block, "weight"), {spec.classes, exitFeatureCount(spec)}).values;
        ExitHead head{tensor::Matrix<float>(spec.classes, exitFeatureCount(spec)), parts.floats(nameOf(block, "bias"), {spec.classes}).values};
        std::ranges::copy(weight, head.weight.data());
        exits.push_back({blocks[i], std::move(head), thresholds[i]});
    }
    Chain chain;
    chain.route = earlyExitRoute(inputs.model, std::move(exits), parseExitRule(parameters.text("rule")));
    return chain;
}

ParameterSchema schemaOf()
{
    return ParameterSchema({
        {.name = "learn", .title = "Heads learn", .type = ParameterType::Choice, .defaultValue = std::string("model"),
         .help = "model: the whole model's probabilities; labels: the photos' classes, and the model's probabilities of photos without one", .choices = {"model", "labels"}},
        {.name = "decay", .title = "Weight decay", .type = ParameterType::Real, .defaultValue = 1e-3, .minimum = 0, .maximum = 10, .logarithmic = true,
         .help = "decay / 2 times the squared weights is added to the loss; above 0 it has one minimum"},
        {.name = "steps", .title = "Steps", .type = ParameterType::Integer, .defaultValue = std::int64_t{300}, .minimum = 1, .maximum = 100'000, .step = 50,
         .help = "Of AdamW, each on all photos"},
        {.name = "rate", .title = "Learning rate", .type = ParameterType::Real, .defaultValue = 0.03, .minimum = 1e-6, .maximum = 1, .logarithmic = true,
         .help = "The largest; it falls to 0 in half a cosine"},
        {.name = "calibrate", .title = "Calibrate", .type = ParameterType::Boolean, .defaultValue = true,
         .help = "Divides each head's logits by the temperature that fits an eighth of the photos best, which it does not learn from"},
        {.name = "exits", .title = "Exits behind", .type = ParameterType::Text, .defaultValue = std::string("auto"),
         .help = "Blocks, as 1,3; auto: all but the last"},
        exitRuleParameter(),
        {.name = "schedule", .title = "Thresholds", .type = ParameterType::Choice, .defaultValue = std::string("fixed"),
         .help = "fixed: the same at every exit; falling: lower by slope from exit to exit; tuned: the cheapest that agree often enough on the photos kept apart", .choices = {"fixed", "falling", "tuned"}},
        {.name = "threshold", .title = "Sure from", .type = ParameterType::Real, .defaultValue = 0.8, .minimum = 0, .maximum = 1, .step = 0.01,
         .help = "Confidence from which on the first exit's answer stands; not for tuned"},
        {.name = "slope", .title = "Slope", .type = ParameterType::Real, .defaultValue = 0.05, .minimum = 0, .maximum = 1, .step = 0.01,
         .help = "By how much the threshold falls from exit to exit; for falling"},
        {.name = "agreement", .title = "Agreement", .type = ParameterType::Real, .defaultValue = 0.95, .minimum = 0, .maximum = 1, .step = 0.01,
         .help = "Share of the photos kept apart that must get the whole model's class; for tuned"},
    });
}
} // namespace

std::shared_ptr<const Route> earlyExitRoute(std::shared_ptr<const nn::Model> model, std::vector<Exit> exits, ExitRule rule)
{
    return std::make_shared<EarlyExit>(std::move(model), std::move(exits), rule);
}

std::vector<double> exitCosts(const nn::ModelSpec& spec, std::span<const int> blocks)
{
    const std::vector<std::uint64_t> macs = blockMacs(spec, wholeTokens(spec));
    const auto head = static_cast<double>(exitHeadMacs(spec));
    std::vector<double> costs;
    auto sum = static_cast<double>(patchMacs(spec));
    std::size_t next = 0;
    for (std::size_t block = 0; block < macs.size(); ++block) {
        sum += static_cast<double>(macs[block]);
        if (next < blocks.size() && blocks[next] == static_cast<int>(block))
            costs.push_back(sum + head * static_cast<double>(++next));
    }
    costs.push_back(sum + head * static_cast<double>(next) + static_cast<double>(headMacs(spec)));
    return costs;
}

Method earlyExitMethod()
{
    Method method;
    method.declaration = {
        .id = "tokens.early-exit",
        .lab = "tokens",
        .title = "Leave early",
        .reference = "Teerapittayanon et al. 2016 (BranchyNet): heads behind the blocks, the first that is sure answers",
        .schema = schemaOf()};
    method.spread = [](const nn::ModelSpec&) { return settingsOver("threshold", {0.95, 0.9, 0.8, 0.7, 0.6, 0.5}); }; // without another training
    method.chain = earlyExitChain;
    method.slowToMake = [](const Parameters& parameters) { return parameters.text("schedule") == "tuned"; };
    method.train = trainHeads;
    method.afterTraining = {"exits", "rule", "schedule", "threshold", "slope", "agreement"};
    return method;
}

} // namespace tamis::tokens
