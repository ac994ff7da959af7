// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/gradient_scorer.h"

#include "core/base/error.h"
#include "core/train/loss_ops.h"
#include "core/train/vit_on_tape.h"

#include <algorithm>
#include <cmath>

namespace tamis::tokens {
namespace {
using train::Tape;
using train::Variable;

/// The last block behind which the loss hangs on more than the direction of what leaves it. Where it looks at x / |x| alone, as through a norm, x . grad = 0.
/// Patches that leave the last block but one of a model that reads off its class token are read once more, by the last block's norm; in a model that takes
/// the mean over patches those that leave the last block are read by its norm, where there is one before the mean.
std::int64_t lastWithGradient(const nn::ModelSpec& spec)
{
    const auto depth = static_cast<std::int64_t>(spec.blocks.size());
    const bool classToken = spec.pool == nn::Pool::ClassToken || spec.distillationHead;
    return std::max<std::int64_t>(0, depth - (classToken ? 3 : spec.finalNorm.kind != nn::NormKind::None ? 2 : 1));
}

class GradientScorer final : public ImageScorer {
public:
    explicit GradientScorer(train::VitOnTape<float> model) : m_model(std::move(model)) {}
    tensor::Matrix<float> score(std::span<const float> image, const RunContext& context) const override
    {
        const train::VitShape& shape = m_model.shape();
        Tape<float> tape(context);
        tensor::Matrix<float> patches(shape.patches(), shape.patchValues());
        m_model.cutPatches(image, patches.data());
        std::vector<Variable<float>> outputs;
        train::ForwardHooks<float> hooks;
        hooks.observeBlock = [&](std::size_t, Variable<float> output) {
            tape.keepGradient(output);
            outputs.push_back(output);
        };
        // the pixels have a gradient, so that the blocks have; the parameters are constants and shared between threads
        const Variable<float> logits = m_model.logits(tape, tape.input(patches.view()), 1, hooks);
        const auto row = logits.value().row(0);
        const std::int32_t best[] = {static_cast<std::int32_t>(std::ranges::max_element(row) - row.begin())};
        tape.backward(train::crossEntropy<float>(logits, best));
        tensor::Matrix<float> scores(static_cast<std::int64_t>(outputs.size()), shape.tokens());
        for (std::size_t block = 0; block < outputs.size(); ++block) {
            const auto x = outputs[block].value(), gradient = tape.gradient(outputs[block]);
            for (std::int64_t i = 0; gradient.data && i < x.rows; ++i) {
                double product = 0;
                for (std::int64_t j = 0; j < x.cols; ++j)
                    product += static_cast<double>(x(i, j)) * static_cast<double>(gradient(i, j));
                scores(static_cast<std::int64_t>(block), i) = static_cast<float>(std::abs(product));
            }
        }
        const std::int64_t last = lastWithGradient(m_model.spec());
        for (std::int64_t block = last + 1; block < scores.rows(); ++block)
            std::ranges::copy(scores.view().row(last), scores.view().row(block).begin());
        return scores;
    }

private:
    mutable train::VitOnTape<float> m_model; ///< parameters of rate 0: a pass reads them alone, from any thread
};
} // namespace

std::shared_ptr<const ImageScorer> gradientScorer(const io::Checkpoint& checkpoint, const RunContext& context, std::int64_t imageHeight, std::int64_t imageWidth)
{
    auto model = train::VitOnTape<float>::load(checkpoint, context, imageHeight, imageWidth);
    if (model.shape().classes < 1)
        throw Error(ErrorCode::UnsupportedFeature, "found a model without classes, expected some to have a loss about", model.spec().architecture);
    for (auto& parameter : model.parameters().all())
        parameter.rate = 0;
    return std::make_shared<GradientScorer>(std::move(model));
}

} // namespace tamis::tokens
