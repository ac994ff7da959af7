// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Mean squared gradients at the output side of linear layers: the row weights of Fisher-weighted compression.
#include "core/train/decoder_on_tape.h"
#include "core/train/vit_on_tape.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace tamis::train {

struct OutputGradient {
    std::string name;            ///< the linear layer: tensor name without ".weight"
    std::vector<double> squares; ///< [out]: mean over all tokens of (d loss / d output)^2
};

/// Image i is `images[i]`, [channels, height, width], normalised.
struct LabelledImages {
    std::span<const std::span<const float>> images;
    std::span<const std::int32_t> labels; ///< empty: the class that the model finds most probable
};

/// The loss of each image counts as its own (a sum, not a mean, over images), as for an empirical Fisher matrix. Batches of
/// `batch` images bound the memory, and do not change the result but for rounding. The model's gradients are cleared.
/// Progress and stop by the context. Throws Error{InvalidParameter, Cancelled}.
std::vector<OutputGradient> outputGradients(VitOnTape<float>& model, const LabelledImages& images, const RunContext& context = {}, std::int64_t batch = 16);

/// The loss is the sum of the cross entropies of all next tokens. `ids` are sequences of `length` ids, one after another, at
/// least two ids each; `batch` of them at a time.
std::vector<OutputGradient> outputGradients(DecoderOnTape<float>& model, std::span<const std::int32_t> ids, std::int64_t length,
                                            const RunContext& context = {}, std::int64_t batch = 4);

} // namespace tamis::train
