// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/nn/patch_embedding.h"
#include "core/tokens/method.h"

namespace tamis::tokens {

/// Where a patch of another size than the model's gets its position from.
enum class PatchPosition {
    Centre, ///< the table interpolated bilinearly at the patch's centre; rows of the table lie at the centres of the model's patches
    Average ///< the mean of the table over what the patch covers
};

/// Position of every patch of a level, [patches of the level, width], row by row; at level 0 the model's table itself. Empty where the model
/// has no positions. Throws Error{InvalidParameter} for a level that does not fit.
tensor::Matrix<float> levelPositions(const nn::PatchEmbedding& embedding, int level, PatchPosition position);

/// Memory that a photo takes at least: the image at every level, the patches cut from it, and of its tokens their rows, their positions and what a block holds of them
/// (queries, keys, values, the first half of an MLP of 2 widths). tokens.mixed-patches refuses where the system has not got it for a photo on every thread.
std::uint64_t mixedPatchBytes(const nn::ModelSpec& spec, int smallest, int largest, std::int64_t patches);

/// tokens.mixed-patches: a quadtree of patches, each embedded by the model's own patch embedding.
Method mixedPatchesMethod();

} // namespace tamis::tokens
