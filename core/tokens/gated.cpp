// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/gated.h"

#include "core/base/error.h"
#include "core/nn/branches.h"
#include "core/tokens/gate_training.h"
#include "core/tokens/reduced_forward.h"
#include "core/tokens/seed.h"
#include "core/tokens/token_training.h"
#include "core/tokens/whole_trace.h"

#include <cmath>
#include <string>
#include <utility>

namespace tamis::tokens {
namespace {
constexpr double kFarFromTarget = 0.05; ///< a share that the user is told of

class Gated final : public Route {
public:
    Gated(std::shared_ptr<const nn::Model> model, std::vector<float> factors) : m_model(std::move(model)), m_factors(std::move(factors)) {}
    void run(const nn::Sample& sample, std::span<const Wish>, kernels::Rows output, nn::Scratch& scratch, Trace* trace) const override
    {
        const nn::ModelSpec& spec = m_model->spec();
        nn::Scratch::Frame frame(scratch);
        const kernels::Rows x = frame.take(spec.tokens(0), spec.width);
        m_model->embed(sample, x, scratch);
        for (std::size_t block = 0; block < spec.blocks.size(); ++block) {
            const nn::Block& layer = m_model->blocks()[block];
            if (const float factor = m_factors[2 * block]; factor != 0)
                nn::runAttentionBranch(layer, x, scratch, factor);
            if (const float factor = m_factors[2 * block + 1]; factor != 0)
                nn::runMlpBranch(layer, x, scratch, factor);
        }
        m_model->runTail(x, {}, output, scratch, 0, nullptr, trace ? &trace->features : nullptr);
        if (trace) {
            tell(*trace);
            keepRows(*trace, x);
        }
    }

private:
    /// All tokens are there behind every block; branches that are left out have no multiply-adds.
    void tell(Trace& trace) const
    {
        const nn::ModelSpec& spec = m_model->spec();
        traceFirstBlocks(spec, spec.blocks.size(), trace);
        std::vector<BlockTokens> run = wholeTokens(spec);
        std::string closed;
        for (std::size_t block = 0; block < run.size(); ++block) {
            if (m_factors[2 * block] == 0) {
                run[block].attention = 0;
                closed += (closed.empty() ? "" : ", ") + ("attention " + std::to_string(block));
            }
            if (m_factors[2 * block + 1] == 0) {
                run[block].mlp = 0;
                closed += (closed.empty() ? "" : ", ") + ("MLP " + std::to_string(block));
            }
        }
        const std::vector<std::uint64_t> macs = blockMacs(spec, run);
        for (std::size_t block = 0; block < macs.size(); ++block)
            trace.layers[block].macs = macs[block];
        trace.macs = modelMacs(spec, run);
        trace.remark = closed.empty() ? "no branch is left out" : "left out: " + closed;
    }
    std::shared_ptr<const nn::Model> m_model;
    std::vector<float> m_factors;
};

TrainedParts trainedGates(const Inputs& inputs, const Parameters& given, const RunContext& context)
{
    const Parameters parameters = gatedMethod().declaration.schema.complete(given);
    requireReducible(*inputs.model, {});
    if (inputs.model->spec().classes < 1)
        throw Error(ErrorCode::UnsupportedFeature, "found a model without classes, expected one: gates learn to keep what it says of photos", inputs.model->spec().architecture);
    requireTrainable(inputs, "tokens.gated");
    const nn::PatchSpec& p = inputs.model->spec().patch;
    auto vit = train::VitOnTape<float>::load(*inputs.checkpoint, context, p.imageHeight, p.imageWidth);
    const GateTraining settings{.kind = parseGateKind(parameters.text("gate")), .target = parameters.real("target"), .steps = parameters.integer("steps"), .batch = parameters.integer("batch"),
                                .rate = parameters.real("rate"), .seed = seedOf(parameters), .enough = inputs.enough};
    TrainedGates trained = trainGates(*inputs.model, vit, *inputs.calibration, settings, context);
    TrainedParts parts{.method = "tokens.gated", .parameters = parameters, .model = inputs.checkpoint->sha256(context), .losses = {std::move(trained.losses.front()), std::move(trained.losses.back())}, .warnings = std::move(trained.warnings)};
    double run = 0;
    const std::vector<double> settled = settledGates(settings.kind, trained.logits), shares = branchShares(inputs.model->spec());
    for (std::size_t i = 0; i < settled.size(); ++i)
        run += settled[i] > 0 ? shares[i] : 0.0;
    if (std::abs(run - settings.target) > kFarFromTarget)
        parts.warnings.push_back("the gates have settled at " + std::to_string(std::lround(100 * run)) + " % of the branches' multiply-adds, the target was " + std::to_string(std::lround(100 * settings.target)) +
                                 " %: set share, or train longer");
    parts.tensors.push_back({"gates", {static_cast<std::int64_t>(trained.logits.size())}, std::move(trained.logits)});
    return parts;
}

Chain gatedChain(const Inputs& inputs, const Parameters& given, const RunContext& context)
{
    const Parameters parameters = gatedMethod().declaration.schema.complete(given);
    requireReducible(*inputs.model, {});
    const TrainedParts& parts = requireTrained(inputs, "tokens.gated", context);
    const GateKind kind = parseGateKind(parts.parameters.text("gate"));
    const std::vector<float>& logits = parts.floats("gates", {2 * static_cast<std::int64_t>(inputs.model->blocks().size())}).values;
    const double share = parameters.real("share");
    std::vector<float> factors;
    for (const double gate : share > 0 ? rankedGates(logits, branchShares(inputs.model->spec()), share) : settledGates(kind, logits))
        factors.push_back(gate == 0 || parameters.boolean("scaled") ? static_cast<float>(gate) : 1.0f);
    Chain chain;
    chain.route = gatedRoute(inputs.model, std::move(factors));
    return chain;
}
} // namespace

std::shared_ptr<const Route> gatedRoute(std::shared_ptr<const nn::Model> model, std::vector<float> factors)
{
    if (factors.size() != 2 * model->blocks().size())
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(factors.size()) + " gates, expected two for each of the " + std::to_string(model->blocks().size()) + " blocks");
    return std::make_shared<Gated>(std::move(model), std::move(factors));
}

Method gatedMethod()
{
    Method method;
    method.declaration = {
        .id = "tokens.gated",
        .lab = "tokens",
        .title = "Gates on branches",
        .reference = "Louizos, Welling, Kingma 2018 (hard concrete), Bengio et al. 2013 (straight-through): a learned gate on every attention and MLP; static, the same for every photo",
        .schema = ParameterSchema({
            {.name = "target", .title = "Target share", .type = ParameterType::Real, .defaultValue = 0.75, .minimum = 0.01, .maximum = 1, .step = 0.05,
             .help = "Expected share of the branches' multiply-adds that the gates leave"},
            {.name = "gate", .title = "Gate", .type = ParameterType::Choice, .defaultValue = std::string("hard-concrete"),
             .help = "hard-concrete: noise that is stretched and cut; straight-through: drawn 0 or 1", .choices = {"hard-concrete", "straight-through"}},
            {.name = "steps", .title = "Steps", .type = ParameterType::Integer, .defaultValue = std::int64_t{200}, .minimum = 1, .maximum = 100'000, .step = 50,
             .help = "Of AdamW; the target is reached in the first half"},
            {.name = "batch", .title = "Photos a step", .type = ParameterType::Integer, .defaultValue = std::int64_t{16}, .minimum = 1, .maximum = 1024, .step = 1,
             .help = "Photos that each step sees; memory grows with it"},
            {.name = "rate", .title = "Learning rate", .type = ParameterType::Real, .defaultValue = 0.1, .minimum = 1e-6, .maximum = 10, .logarithmic = true,
             .help = "The largest; it falls to a tenth in half a cosine"},
            {.name = "share", .title = "Share run", .type = ParameterType::Real, .defaultValue = 0.0, .minimum = 0, .maximum = 1, .step = 0.01,
             .help = "Closes the lowest gates until at most this share of the branches' multiply-adds is left; 0: the gates as they have settled"},
            {.name = "scaled", .title = "Scale open branches", .type = ParameterType::Boolean, .defaultValue = false,
             .help = "Open branches are multiplied by where their gate has settled; off: left as they are. Nothing is scaled where a share is given"},
            seedParameter("Of the order of the photos, and of the gates drawn in training"),
        })};
    method.spread = [](const nn::ModelSpec&) { return settingsOver("share", {0.9, 0.8, 0.7, 0.6, 0.5}); }; // without another training
    method.chain = gatedChain;
    method.train = trainedGates;
    method.afterTraining = {"share", "scaled"};
    return method;
}

} // namespace tamis::tokens
