// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/output_gradients.h"

#include "core/train/loss_ops.h"

#include <algorithm>

namespace tamis::train {
namespace {
/// Adds the squares of a gradient's elements column by column, in double.
void addSquares(View<const float> gradient, std::vector<double>& squares)
{
    for (std::int64_t i = 0; i < gradient.rows; ++i)
        for (std::int64_t j = 0; j < gradient.cols; ++j) {
            const auto value = static_cast<double>(gradient(i, j));
            squares[static_cast<std::size_t>(j)] += value * value;
        }
}

std::vector<std::int32_t> mostProbable(View<const float> logits)
{
    std::vector<std::int32_t> labels;
    for (std::int64_t i = 0; i < logits.rows; ++i) {
        const auto row = logits.row(i);
        labels.push_back(static_cast<std::int32_t>(std::ranges::max_element(row) - row.begin()));
    }
    return labels;
}

/// Collects the gradients that a forward pass was told to keep, over batches.
class Squares {
public:
    explicit Squares(Tape<float>& tape) : m_tape(tape) {}
    ObserveLinear<float> observer()
    {
        m_outputs.clear();
        return [this](const std::string& name, Variable<float> output) {
            m_tape.keepGradient(output);
            m_outputs.emplace_back(name, output);
        };
    }
    void add()
    {
        for (std::size_t k = 0; k < m_outputs.size(); ++k) {
            if (k == m_sums.size()) {
                m_sums.push_back({m_outputs[k].first, std::vector<double>(static_cast<std::size_t>(m_outputs[k].second.cols()))});
                m_tokens.push_back(0);
            }
            addSquares(m_tape.gradient(m_outputs[k].second), m_sums[k].squares);
            m_tokens[k] += m_outputs[k].second.rows();
        }
    }
    std::vector<OutputGradient> means() &&
    {
        for (std::size_t k = 0; k < m_sums.size(); ++k)
            for (double& square : m_sums[k].squares)
                square /= static_cast<double>(m_tokens[k]);
        return std::move(m_sums);
    }

private:
    Tape<float>& m_tape;
    std::vector<std::pair<std::string, Variable<float>>> m_outputs;
    std::vector<OutputGradient> m_sums;
    std::vector<std::int64_t> m_tokens;
};
} // namespace

std::vector<OutputGradient> outputGradients(VitOnTape<float>& model, const LabelledImages& images, const RunContext& context, std::int64_t batch)
{
    const auto total = static_cast<std::int64_t>(images.images.size());
    require(total > 0 && batch > 0, "output gradients", "there must be an image, and a positive batch");
    require(model.shape().classes > 0, "output gradients", "the model has no head, so that there is no class to have a loss about");
    require(images.labels.empty() || static_cast<std::int64_t>(images.labels.size()) == total, "output gradients", "there must be one label an image, or none");
    Tape<float> tape(context);
    Squares squares(tape);
    for (std::int64_t begin = 0; begin < total; begin += batch) {
        const std::int64_t count = std::min(batch, total - begin);
        tape.reset();
        const std::int64_t patches = model.shape().patches(), values = model.shape().patchValues();
        auto* rows = tape.scratch<float>(count * patches * values);
        for (std::int64_t i = 0; i < count; ++i)
            model.cutPatches(images.images[static_cast<std::size_t>(begin + i)], rows + i * patches * values);
        const Variable<float> logits = model.logits(tape, tape.constant({rows, count * patches, values, values}), count, squares.observer());
        const std::vector<std::int32_t> labels =
            images.labels.empty() ? mostProbable(logits.value())
                                  : std::vector<std::int32_t>(images.labels.begin() + begin, images.labels.begin() + begin + count);
        tape.backward(crossEntropy<float>(logits, labels), static_cast<float>(count)); // the mean times the count: each image's own loss
        squares.add();
        context.setFraction(static_cast<double>(begin + count) / static_cast<double>(total));
    }
    model.parameters().zeroGradients();
    return std::move(squares).means();
}

std::vector<OutputGradient> outputGradients(DecoderOnTape<float>& model, std::span<const std::int32_t> ids, std::int64_t length, const RunContext& context,
                                            std::int64_t batch)
{
    require(length >= 2 && !ids.empty() && static_cast<std::int64_t>(ids.size()) % length == 0 && batch > 0, "output gradients",
            "there must be sequences of at least two tokens that divide the ids, and a positive batch");
    const std::int64_t total = static_cast<std::int64_t>(ids.size()) / length;
    Tape<float> tape(context);
    Squares squares(tape);
    for (std::int64_t begin = 0; begin < total; begin += batch) {
        const std::int64_t count = std::min(batch, total - begin);
        tape.reset();
        const auto part = ids.subspan(static_cast<std::size_t>(begin * length), static_cast<std::size_t>(count * length));
        const Variable<float> logits = model.logits(tape, part, count, squares.observer());
        tape.backward(crossEntropy<float>(logits, nextTokens(part, count)), static_cast<float>(count * (length - 1)));
        squares.add();
        context.setFraction(static_cast<double>(begin + count) / static_cast<double>(total));
    }
    model.parameters().zeroGradients();
    return std::move(squares).means();
}

} // namespace tamis::train
