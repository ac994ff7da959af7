// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A vision transformer at another image size than its own: the blocks are the same, the grid and its positions are others.
#include "core/nn/patch_embedding.h"
#include "core/tokens/image_scaling.h"
#include "core/tokens/reduced_forward.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace tamis::tokens {

/// Multiply-adds of one pass whose first block gets `patches` patches beside the prefix tokens, embedding and head included. Resizing is not
/// counted. Of the model's own grid what modelMacs says.
std::uint64_t passMacs(const nn::ModelSpec& spec, std::int64_t patches);
std::uint64_t headMacs(const nn::ModelSpec& spec);

/// Every cell of a source grid belongs to the token of a coarser grid (or the same) that its centre lies in.
/// Throws Error{InvalidParameter} for a grid that is finer than the source grid.
TokenSet gridSet(std::int64_t prefix, std::int64_t sourceRows, std::int64_t sourceCols, std::int64_t rows, std::int64_t cols);

/// Immutable, shared between threads.
class ScaledModel {
public:
    /// The model's size times `scale`, in whole patches. Throws Error{LimitExceeded} beyond kMostPatches.
    ScaledModel(std::shared_ptr<const nn::PatchEmbedding> embedding, double scale);

    double scale() const noexcept { return m_scale; }
    PixelSize size() const noexcept { return m_size; }
    std::int64_t gridRows() const noexcept;
    std::int64_t gridCols() const noexcept;
    std::int64_t patches() const noexcept { return gridRows() * gridCols(); }
    std::uint64_t macs() const; ///< of a pass
    std::string sizeText() const; ///< "32 x 32 pixels", height first

    /// image [channels, height, width] of the model's own size, resized by antialiased bicubic. `features` may be null: what goes into the
    /// head. Returns the milliseconds that resizing took. At the model's own size the bits of Model::run. Throws Error{Cancelled}.
    double run(std::span<const float> image, kernels::Rows output, nn::Scratch& scratch, std::vector<float>* features) const;

    static constexpr std::int64_t kMostPatches = 65536;

private:
    std::shared_ptr<const nn::PatchEmbedding> m_embedding;
    double m_scale;
    PixelSize m_size;
    tensor::Matrix<float> m_positions; ///< [patches, width], or empty
    nn::PatchTurns m_turns;            ///< of this grid, or of none
};

/// As typed, "1,0.5": models from the finest to the coarsest. Throws Error{InvalidParameter} for anything but numbers of 0.01 to 4 between
/// commas, for none, for more than 8, and for two of the same size in whole patches.
std::vector<ScaledModel> scaledModels(std::shared_ptr<const nn::Model> model, const std::string& scales, const std::string& subject);

/// A trace's layers for passes on `run` (indices into `models`, which go from fine to coarse), one after the other: the source grid is that of
/// models.front(), each cell belongs to the token of the last pass that covers it, and tokens of the other passes follow with no cell.
void tracePasses(const nn::ModelSpec& spec, const std::vector<ScaledModel>& models, std::span<const std::size_t> run, Trace& trace);

} // namespace tamis::tokens
