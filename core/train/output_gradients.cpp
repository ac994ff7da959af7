// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/train/loss_ops.h"
#include "core/train/vit_on_tape.h"

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
} // namespace

std::vector<OutputGradient> outputGradients(VitOnTape<float>& model, const LabelledImages& images, const RunContext& context, std::int64_t batch)
{
    const auto total = static_cast<std::int64_t>(images.images.size());
    require(total > 0 && batch > 0, "output gradients", "there must be an image, and a positive batch");
    require(images.labels.empty() || static_cast<std::int64_t>(images.labels.size()) == total, "output gradients", "there must be one label an image, or none");
    Tape<float> tape(context);
    std::vector<OutputGradient> result;
    std::vector<std::int64_t> counts;
    for (std::int64_t begin = 0; begin < total; begin += batch) {
        const std::int64_t count = std::min(batch, total - begin);
        tape.reset();
        const std::int64_t patches = model.shape().patches(), values = model.shape().patchValues();
        auto* rows = tape.scratch<float>(count * patches * values);
        for (std::int64_t i = 0; i < count; ++i)
            model.cutPatches(images.images[static_cast<std::size_t>(begin + i)], rows + i * patches * values);
        std::vector<std::pair<std::string, Variable<float>>> outputs;
        const Variable<float> logits = model.logits(tape, tape.constant({rows, count * patches, values, values}), count,
                                                    [&](const std::string& name, Variable<float> output) {
                                                        tape.keepGradient(output);
                                                        outputs.emplace_back(name, output);
                                                    });
        const std::vector<std::int32_t> labels =
            images.labels.empty() ? mostProbable(logits.value())
                                  : std::vector<std::int32_t>(images.labels.begin() + begin, images.labels.begin() + begin + count);
        tape.backward(crossEntropy<float>(logits, labels), static_cast<float>(count)); // the mean times the count: each image's own loss
        if (result.empty())
            for (const auto& [name, output] : outputs) {
                result.push_back({name, std::vector<double>(static_cast<std::size_t>(output.cols()))});
                counts.push_back(0);
            }
        for (std::size_t k = 0; k < outputs.size(); ++k) {
            addSquares(tape.gradient(outputs[k].second), result[k].squares);
            counts[k] += outputs[k].second.rows();
        }
        context.setFraction(static_cast<double>(begin + count) / static_cast<double>(total));
    }
    model.parameters().zeroGradients();
    for (std::size_t k = 0; k < result.size(); ++k)
        for (double& square : result[k].squares)
            square /= static_cast<double>(counts[k]);
    return result;
}

} // namespace tamis::train
