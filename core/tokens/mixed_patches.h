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

/// tokens.mixed-patches: a quadtree of patches, each embedded by the model's own patch embedding.
Method mixedPatchesMethod();

} // namespace tamis::tokens
