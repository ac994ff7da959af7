// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What removing a token would change, to first order: |x_i . dL / dx_i|.
#include "core/io/checkpoint.h"
#include "core/tokens/reduction.h"

#include <memory>

namespace tamis::tokens {

/// Of the tokens that leave every block of the whole model; L is the cross entropy of the class that the model itself finds most probable.
/// Behind the last blocks, from where on only norms read the patches and x . dL / dx is 0 for each of them, the scores are those of the block before: behind the
/// last two of a model with a class token, behind the last of one that norms the patches and takes their mean.
/// The weights are the checkpoint's, whatever operators the model that is reduced has. `imageHeight/Width` as for nn::Model::load.
/// Throws what train::VitOnTape::load throws, Error{UnsupportedFeature} for a model without classes.
std::shared_ptr<const ImageScorer> gradientScorer(const io::Checkpoint& checkpoint, const RunContext& context, std::int64_t imageHeight, std::int64_t imageWidth);

} // namespace tamis::tokens
