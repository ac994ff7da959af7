// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// How a vision transformer makes tokens of patches, for labs that cut images otherwise than the model does.
#include "core/nn/model.h"
#include "core/nn/patch_rotary.h"

#include <cstdint>
#include <memory>
#include <span>

namespace tamis::nn {

/// Immutable, shared between threads. Holds the model.
class PatchEmbedding {
public:
    /// Throws Error{UnsupportedFeature} for a model without patches or with blocks over windows of their grid, or with a relative bias.
    explicit PatchEmbedding(std::shared_ptr<const Model> model);

    const Model& model() const noexcept { return *m_model; }
    std::int64_t values() const noexcept; ///< of one patch: channels * height * width
    std::uint64_t macsPerPatch() const noexcept;
    bool hasPositions() const noexcept;
    /// What is added to each patch of the model's grid, [grid, width], row by row. Empty where the model has none.
    kernels::ConstRows positions() const noexcept;
    /// The same resampled to another grid, as Model::load does for another image size: antialiased bicubic with timm's names, else bicubic with
    /// a = -0.75. The model's own grid gives the table itself. Empty where the model has none. Throws Error{InvalidParameter} for a side below 1.
    tensor::Matrix<float> positionsAt(std::int64_t gridHeight, std::int64_t gridWidth) const;
    bool turns() const noexcept; ///< has rotary positions
    /// Of the prefix and the patches of another grid, row by row, or of patches centred at places [patches, 2] (row, column), in patches of the model's grid: what a
    /// TokenHook is to give. Throw Error{InvalidParameter} for a side below 1 and for models without rotary positions.
    PatchTurns turnsAt(std::int64_t gridHeight, std::int64_t gridWidth) const;
    PatchTurns turnsAt(std::span<const double> places) const;

    /// x [prefix + patches.rows, width]: prefix tokens, then the patches with their positions, and the norm before the blocks where there is one.
    /// patches [n, values()], each flattened as the model's (channel, row, column); positions [n, width], empty (data null): none are added. For
    /// the model's patches and positions the bits of Model::embed. Throws Error{InvalidParameter} for other shapes.
    void embed(kernels::ConstRows patches, kernels::ConstRows positions, kernels::Rows x, Scratch& scratch) const;

private:
    std::shared_ptr<const Model> m_model;
};

/// Cuts an image [channels, height, width] into whole patches of patchHeight x patchWidth, row by row: patches [grid, channels * height * width].
/// Throws Error{InvalidParameter} for an image that is not whole patches, or of another number of values.
void cutPatches(const PatchSpec& patch, std::span<const float> image, std::int64_t height, std::int64_t width, kernels::Rows patches);

} // namespace tamis::nn
