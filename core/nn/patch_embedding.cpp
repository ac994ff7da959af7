// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/nn/patch_embedding.h"

#include "core/base/error.h"
#include "core/nn/model_content.h"
#include "core/nn/relative_attention.h"

#include <algorithm>
#include <string>

namespace tamis::nn {

using kernels::ConstRows;
using kernels::Rows;

PatchEmbedding::PatchEmbedding(std::shared_ptr<const Model> model) : m_model(std::move(model))
{
    const Model::Content& c = Model::Content::of(*m_model);
    const bool windowed = std::ranges::any_of(c.spec.blocks, [](const BlockSpec& block) { return block.gridHeight > 0; });
    if (c.spec.vision() && std::ranges::any_of(c.spec.blocks, hasRelativeBias))
        throw Error(ErrorCode::UnsupportedFeature, "found a relative position bias, which holds for the model's own patches, expected positions that are added to patches or turn them", c.spec.architecture);
    if (!c.spec.vision() || !c.patch || windowed)
        throw Error(ErrorCode::UnsupportedFeature, "found " + std::string(windowed ? "blocks over windows of a grid" : "no patches") + ", expected a vision transformer", c.spec.architecture);
}

std::int64_t PatchEmbedding::values() const noexcept
{
    const PatchSpec& p = m_model->spec().patch;
    return p.channels * p.patchHeight * p.patchWidth;
}

std::uint64_t PatchEmbedding::macsPerPatch() const noexcept { return static_cast<std::uint64_t>(values() * m_model->spec().width); }

bool PatchEmbedding::hasPositions() const noexcept { return Model::Content::of(*m_model).positions != nullptr; }

ConstRows PatchEmbedding::positions() const noexcept
{
    const Model::Content& c = Model::Content::of(*m_model);
    return c.positions ? c.positions->view() : ConstRows{};
}

tensor::Matrix<float> PatchEmbedding::positionsAt(std::int64_t gridHeight, std::int64_t gridWidth) const
{
    const Model::Content& c = Model::Content::of(*m_model);
    const PatchSpec& p = c.spec.patch;
    if (gridHeight < 1 || gridWidth < 1)
        throw Error(ErrorCode::InvalidParameter, "found a grid of " + std::to_string(gridHeight) + " x " + std::to_string(gridWidth) + " patches, expected one patch at least");
    if (!c.positions)
        return {};
    if (gridHeight == p.gridHeight && gridWidth == p.gridWidth)
        return *c.positions;
    return resamplePositions(*c.positions, p.gridHeight, p.gridWidth, gridHeight, gridWidth, c.spec.family == io::Family::TimmVit);
}

bool PatchEmbedding::turns() const noexcept { return Model::Content::of(*m_model).patchRotary != nullptr; }

PatchTurns PatchEmbedding::turnsAt(std::int64_t gridHeight, std::int64_t gridWidth) const
{
    const ModelSpec& spec = m_model->spec();
    if (!turns() || gridHeight < 1 || gridWidth < 1)
        throw Error(ErrorCode::InvalidParameter, "found a grid of " + std::to_string(gridHeight) + " x " + std::to_string(gridWidth) + " patches, expected one patch at least and rotary positions", spec.architecture);
    return PatchRotary(spec.blocks.front().attention.rope, spec.patch.prefixTokens, gridHeight, gridWidth).own();
}

PatchTurns PatchEmbedding::turnsAt(std::span<const double> places) const
{
    const Model::Content& c = Model::Content::of(*m_model);
    if (!turns())
        throw Error(ErrorCode::InvalidParameter, "found places of patches, expected them for rotary positions only", c.spec.architecture);
    return c.patchRotary->at(places);
}

void PatchEmbedding::embed(ConstRows patches, ConstRows positions, Rows x, Scratch& scratch) const
{
    const Model::Content& c = Model::Content::of(*m_model);
    const std::int64_t prefix = c.spec.patch.prefixTokens;
    if (patches.cols != values() || x.cols != c.spec.width || x.rows != prefix + patches.rows || (positions.data && (positions.rows != patches.rows || positions.cols != x.cols)))
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(patches.rows) + " patches of " + std::to_string(patches.cols) + " values, " + std::to_string(positions.rows) +
                                                     " positions and " + std::to_string(x.rows) + " rows for them, expected patches of " + std::to_string(values()) + ", a position for each and " +
                                                     std::to_string(prefix) + " rows more");
    for (std::int64_t i = 0; i < prefix; ++i)
        std::ranges::copy(c.prefix->view().row(i), x.row(i).begin());
    kernels::Epilogue epilogue;
    epilogue.base = positions;
    c.patch.op->apply(patches, epilogue, {x.data + prefix * x.stride, patches.rows, x.cols, x.stride}, scratch);
    if (c.preNorm.present())
        c.preNorm.apply(x, x);
}

void cutPatches(const PatchSpec& p, std::span<const float> image, std::int64_t height, std::int64_t width, Rows patches)
{
    const std::int64_t rows = height / p.patchHeight, columns = width / p.patchWidth;
    if (height != rows * p.patchHeight || width != columns * p.patchWidth || static_cast<std::int64_t>(image.size()) != p.channels * height * width || patches.rows != rows * columns ||
        patches.cols != p.channels * p.patchHeight * p.patchWidth)
        throw Error(ErrorCode::InvalidParameter, "found an image of " + std::to_string(image.size()) + " values for " + std::to_string(height) + " x " + std::to_string(width) +
                                                     " pixels, expected whole patches of " + std::to_string(p.patchHeight) + " x " + std::to_string(p.patchWidth) + " and " +
                                                     std::to_string(p.channels) + " channels");
    for (std::int64_t gy = 0; gy < rows; ++gy)
        for (std::int64_t gx = 0; gx < columns; ++gx) {
            float* to = patches.data + (gy * columns + gx) * patches.stride;
            for (std::int64_t c = 0; c < p.channels; ++c)
                for (std::int64_t y = 0; y < p.patchHeight; ++y, to += p.patchWidth)
                    std::copy_n(image.data() + (c * height + gy * p.patchHeight + y) * width + gx * p.patchWidth, p.patchWidth, to);
        }
}

} // namespace tamis::nn
