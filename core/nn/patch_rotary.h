// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Rotary positions on the plane of an image's patches, as DINOv3 has them (Simeoni et al. 2025, arXiv 2508.10104): half of a head's pairs turn by
// the row, half by the column. The `rope` of a vision model means these; formulas: docs/models.md.
#include "core/kernels/packed_matrix.h"
#include "core/nn/model_spec.h"

#include <cstdint>
#include <span>
#include <vector>

namespace tamis::nn {

/// Cosines and sines of tokens, the prefix left out: it does not turn.
struct PatchTurns {
    std::int64_t prefix = 0, pairs = 0;
    std::vector<float> cosine, sine; ///< [tokens - prefix, pairs]
    std::int64_t tokens() const noexcept { return prefix + (pairs > 0 ? static_cast<std::int64_t>(cosine.size()) / pairs : 0); }
};

/// Turns every head of x [turns.tokens(), heads * headDim] in place: feature i with feature i + headDim / 2. Throws Error{InvalidParameter} for another number
/// of rows.
void turn(const PatchTurns& turns, kernels::Rows x, std::int64_t heads, std::int64_t headDim);

/// Immutable, shared between threads.
class PatchRotary {
public:
    /// `spec.dimensions` is the width of a head, a multiple of 4. The image's height and width reach from -1 to 1 each, whatever the grid.
    PatchRotary(const RopeSpec& spec, std::int64_t prefix, std::int64_t gridHeight, std::int64_t gridWidth);

    /// Of the model's own tokens: the prefix, then the grid row by row.
    const PatchTurns& own() const noexcept { return m_own; }
    /// Of tokens that hold source tokens: heldBy [source tokens] is the token of each, -1 none. A token lies at the mean of the centres of its patches; one with
    /// a single patch has that patch's own numbers. Throws Error{InvalidParameter} for a list of another length, a token beyond `tokens`, or one without a patch.
    PatchTurns of(std::span<const std::int32_t> heldBy, std::int64_t tokens) const;
    /// Of patches centred at (row, column), places [patches, 2], in patches of the model's grid: the first patch's centre is (0.5, 0.5).
    PatchTurns at(std::span<const double> places) const;

private:
    void fill(double row, double column, float* cosine, float* sine) const;
    std::vector<double> m_frequencies; ///< [pairs / 2], turns a unit of the coordinate, in radians
    std::int64_t m_prefix, m_height, m_width;
    PatchTurns m_own;
};

} // namespace tamis::nn
