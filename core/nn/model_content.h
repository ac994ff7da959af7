// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What a Model holds. Large tables are shared between a model and those made from it by replacing operators.
#include "core/nn/architecture.h"
#include "core/nn/model.h"
#include "core/nn/patch_rotary.h"
#include "core/nn/rotary.h"

namespace tamis::nn {

using Table = std::shared_ptr<const tensor::Matrix<float>>;

struct Model::Content {
    /// For the files of core/nn and core/train alone. Lives as long as a model that was made from it.
    static const Content& of(const Model& model) noexcept { return *model.m_content; }
    ModelSpec spec;
    // vision
    LinearSlot patch;
    Table prefix;    ///< [prefixTokens, width]: class, distillation and register tokens, positions added
    Table positions; ///< of the patches, [grid, width], interpolated; null: none
    // language
    Table tokenEmbedding, tokenTypes, textPositions;
    LinearSlot projectIn;
    Norm preNorm;
    std::vector<Block> blocks;
    std::shared_ptr<const RotaryTable> rotary;      ///< of text
    std::shared_ptr<const PatchRotary> patchRotary; ///< of patches
    Norm finalNorm;
    LinearSlot transform;
    kernels::Activation transformActivation = kernels::Activation::None;
    Norm poolNorm;
    LinearSlot head, secondHead;

    /// Every slot that has an operator, in execution order.
    std::vector<LinearSlot*> slots();
};

/// Binds an architecture to the tensors of a source.
std::shared_ptr<Model::Content> buildContent(Architecture architecture, const TensorSource& source, const RunContext& context);

/// A position table [tableHeight x tableWidth, width] resampled to another grid: antialiased bicubic with a = -0.5 (timm),
/// or bicubic with a = -0.75 (Hugging Face), as PyTorch's interpolate computes them with align_corners = False.
tensor::Matrix<float> resamplePositions(const tensor::Matrix<float>& table, std::int64_t tableHeight, std::int64_t tableWidth, std::int64_t height,
                                        std::int64_t width, bool antialias);
/// The same, bilinear without antialias.
tensor::Matrix<float> resampleBilinear(const tensor::Matrix<float>& table, std::int64_t tableHeight, std::int64_t tableWidth, std::int64_t height, std::int64_t width);

} // namespace tamis::nn
