// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/learned.h"

#include "core/base/error.h"
#include "core/nn/linear_op.h"
#include "core/tokens/learned_policy.h"
#include "core/tokens/protection.h"
#include "core/tokens/reduced_forward.h"
#include "core/tokens/schedule.h"
#include "core/tokens/selection.h"
#include "core/tokens/token_training.h"
#include "core/train/policy_ops.h"

#include <algorithm>
#include <cmath>

namespace tamis::tokens {
namespace {
using kernels::Activation;
constexpr const char* kId = "tokens.learned";
constexpr float kNormEpsilon = 1e-5F;

/// One predictor, ready to run.
class LearnedStep final : public Reduction {
public:
    LearnedStep(const TrainedParts& parts, std::size_t stage, std::int64_t width, std::int64_t count) : m_count(count)
    {
        const std::vector<PredictorTensor> wanted = predictorTensors(stage, width);
        std::vector<const TrainedTensor*> found;
        for (const PredictorTensor& tensor : wanted)
            found.push_back(&parts.floats(tensor.name, tensor.shape));
        m_norm = {{nn::NormKind::LayerNorm, kNormEpsilon, true}, found[0]->values, found[1]->values};
        for (std::size_t i = 2; i < found.size(); i += 2)
            m_layers.push_back(nn::denseOp({found[i]->values.data(), found[i]->shape[0], found[i]->shape[1], found[i]->shape[1]}, found[i + 1]->values));
    }

    Assignment assign(const Look& look) const override
    {
        const std::int64_t prefix = look.set.prefix, patches = look.x.rows - prefix;
        std::vector<float> scores(static_cast<std::size_t>(look.x.rows));
        if (patches > 0)
            score({look.x.data + prefix * look.x.stride, patches, look.x.cols, look.x.stride}, std::span(scores).subspan(static_cast<std::size_t>(prefix)), look.scratch);
        Assignment a = keepBest(look.set, scores, m_count);
        a.macs = predictorMacs(patches, look.x.cols);
        return a;
    }

private:
    /// Logarithms of the probabilities to stay.
    void score(kernels::ConstRows x, std::span<float> scores, nn::Scratch& scratch) const
    {
        nn::Scratch::Frame frame(scratch);
        const std::int64_t half = x.cols / 2;
        const kernels::Rows normed = frame.take(x.rows, x.cols), mixed = frame.take(x.rows, x.cols);
        m_norm.apply(x, normed);
        m_layers[0]->apply(normed, {.activation = Activation::Gelu}, mixed, scratch);
        for (std::int64_t j = half; j < x.cols; ++j) { // the second half becomes its mean over the patches that there are
            double sum = 0;
            for (std::int64_t i = 0; i < x.rows; ++i)
                sum += static_cast<double>(mixed.data[i * mixed.stride + j]);
            for (std::int64_t i = 0; i < x.rows; ++i)
                mixed.data[i * mixed.stride + j] = static_cast<float>(sum / static_cast<double>(x.rows));
        }
        const kernels::Rows first = frame.take(x.rows, half), second = frame.take(x.rows, x.cols / 4), last = frame.take(x.rows, 2);
        m_layers[1]->apply(mixed, {.activation = Activation::Gelu}, first, scratch);
        m_layers[2]->apply(first, {.activation = Activation::Gelu}, second, scratch);
        m_layers[3]->apply(second, {}, last, scratch);
        for (std::int64_t i = 0; i < x.rows; ++i) {
            const float against = last.data[i * last.stride + 1] - last.data[i * last.stride]; // -log(1 + e^against), without an overflow
            scores[static_cast<std::size_t>(i)] = -(std::max(against, 0.0F) + std::log1p(std::exp(-std::abs(against))));
        }
    }

    nn::Norm m_norm;
    std::vector<nn::LinearPtr> m_layers; ///< mix, half, quarter, keep
    std::int64_t m_count;
};

std::vector<int> stagesOf(const Inputs& inputs, const Parameters& parameters)
{
    std::vector<int> blocks = blocksOf(parameters.text("blocks"), static_cast<int>(inputs.model->blocks().size()), "blocks");
    if (blocks.empty())
        throw Error(ErrorCode::InvalidParameter, "found no block, expected one at least before which patches are left out", "blocks");
    return blocks;
}

Chain learnedChain(const Inputs& inputs, const Parameters& given, const RunContext& context)
{
    const Parameters parameters = learnedMethod().declaration.schema.complete(given);
    requireReducible(*inputs.model, {});
    const TrainedParts& parts = requireTrained(inputs, kId, context);
    const std::vector<int> blocks = stagesOf(inputs, parameters);
    if (blocks != stagesOf(inputs, learnedMethod().declaration.schema.complete(parts.parameters)))
        throw Error(ErrorCode::InvalidParameter, "found blocks " + parameters.text("blocks") + ", expected " + parts.parameters.text("blocks") + ", which the predictors were trained before", kId);
    const nn::ModelSpec& spec = inputs.model->spec();
    Chain chain;
    for (std::size_t stage = 0; stage < blocks.size(); ++stage)
        chain.steps.push_back({blocks[stage], Place::BeforeBlock,
                               learnedStep(parts, stage, spec.width, learnedCount(spec.patch.gridHeight * spec.patch.gridWidth, parameters.real("keep"), stage + 1))});
    protectPatches(spec.patch, parameters, chain);
    chain.scoreTitle = "log probability to stay";
    requireReducible(*inputs.model, chain);
    return chain;
}

TrainedParts trainLearned(const Inputs& inputs, const Parameters& given, const RunContext& context)
{
    const Parameters parameters = learnedMethod().declaration.schema.complete(given);
    requireReducible(*inputs.model, {});
    requireTrainable(inputs, kId);
    const nn::ModelSpec& spec = inputs.model->spec();
    const TokenTrainingSettings settings(parameters);
    LearnedSettings learned;
    learned.blocks = stagesOf(inputs, parameters);
    learned.keep = parameters.real("keep");
    learned.ratioWeight = parameters.real("ratio-weight");
    learned.distilWeight = parameters.real("distil-weight");
    auto model = train::VitOnTape<float>::load(*inputs.checkpoint, context, spec.patch.imageHeight, spec.patch.imageWidth);
    for (auto& parameter : model.parameters().all())
        parameter.rate = 0; // the model stays as it is
    train::ParameterSet<float> set;
    addPredictors(set, learned.blocks.size(), spec.width, settings.seed);
    const std::int64_t patches = model.shape().patches(), values = model.shape().patchValues();
    std::vector<tensor::Matrix<float>> held; // what one pass reads, until the next
    const auto loss = [&](train::Tape<float>& tape, const TrainingPhotos& photos, std::int64_t step, bool checking) {
        const auto images = static_cast<std::int64_t>(photos.images.size());
        auto* rows = tape.scratch<float>(images * patches * values);
        for (std::int64_t i = 0; i < images; ++i)
            model.cutPatches(photos.images[static_cast<std::size_t>(i)], rows + i * patches * values);
        held.clear();
        std::vector<train::View<const float>> noise;
        for (std::size_t stage = 0; stage < learned.blocks.size() && !checking; ++stage) {
            held.emplace_back(images * patches, 2);
            train::gumbelNoise<float>(held.back().view(), settings.seed + 0x9E3779B97F4A7C15ULL * (static_cast<std::uint64_t>(step) * learned.blocks.size() + stage + 1));
        }
        for (const auto& each : held)
            noise.push_back(each.view());
        return learnedPass<float>(tape, model, set, learned, {rows, images * patches, values, values}, photos.labels, noise).loss;
    };
    return partsOf(kId, parameters, inputs, set, trainOnPhotos(set, inputs, settings, loss, context), context);
}
} // namespace

ReductionPtr learnedStep(const TrainedParts& parts, std::size_t stage, std::int64_t width, std::int64_t count)
{
    return std::make_shared<LearnedStep>(parts, stage, width, count);
}

Method learnedMethod()
{
    using Type = ParameterType;
    std::vector<ParameterSpec> specs{
        {.name = "keep", .title = "Keep", .type = Type::Real, .defaultValue = 0.7, .minimum = 0.05, .maximum = 1, .step = 0.05,
         .help = "Part of the patches of the stage before that each stage keeps; training aims at it, afterwards it moves freely"},
        {.name = "blocks", .title = "Blocks", .type = Type::Text, .defaultValue = std::string("auto"),
         .help = "Before which blocks predictors choose, from 0, as 3,6,9; auto: a quarter, a half and three quarters of the depth"},
        {.name = "ratio-weight", .title = "Ratio weight", .type = Type::Real, .defaultValue = 2.0, .minimum = 0, .maximum = 1000, .logarithmic = true,
         .help = "Of the squared difference of the kept share from the one aimed at"},
        {.name = "distil-weight", .title = "Distillation weight", .type = Type::Real, .defaultValue = 0.5, .minimum = 0, .maximum = 1000, .logarithmic = true,
         .help = "Of the differences from what the whole model says of a photo and of its patches"},
    };
    for (ParameterSpec& spec : tokenTrainingParameters()) {
        if (spec.name == "learning-rate")
            spec.defaultValue = 5e-3; // through random decisions a smaller one moves little in some hundred steps: docs/methods/tokens.learned.md
        specs.push_back(std::move(spec));
    }
    specs.push_back(protectParameter());
    specs.push_back(protectShareParameter());
    Method method;
    method.declaration = {.id = kId,
                          .lab = "tokens",
                          .title = "Prune by trained predictors (DynamicViT)",
                          .reference = "Rao et al. 2021, DynamicViT: small networks, trained through random hard decisions, say which patches stay; the model itself is not trained",
                          .schema = ParameterSchema(std::move(specs))};
    method.needsCalibration = true;
    method.chain = learnedChain;
    method.train = trainLearned;
    method.afterTraining = {"keep", "protect", "protect-share"};
    return method;
}

} // namespace tamis::tokens
