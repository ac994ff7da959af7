// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What a model makes of frames: the features of every cell behind every block, how long they take, and what storing them in fewer bytes loses.
#include "core/base/run_context.h"
#include "core/hierarchy/block_motion.h"
#include "core/measure/sample_source.h"
#include "core/nn/model.h"
#include "core/report/hierarchy_report.h"

#include <array>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace tamis::hierarchy {

/// Means of a cell's quarters, top left, top right, bottom left, bottom right, in each of up to three channels.
using CellContent = std::array<float, 12>;

/// Immutable once made. A cell is a patch of the model's grid, row by row; class and register tokens are left out.
struct FrameFeatures {
    std::string source;
    std::int64_t gridRows = 0, gridColumns = 0, layers = 0, width = 0, patchHeight = 0, patchWidth = 0;
    std::size_t frames = 0;
    std::vector<CellContent> contents; ///< [frames, cells], of the pixels as the model gets them
    std::vector<Shift> motion;         ///< [frames, cells] since the frame before; the first: none
    std::vector<float> features;       ///< [frames, layers, cells, width]
    double encodeNs = 0;               ///< of one cell behind one block: a frame's share, median over the frames
    std::vector<report::FeatureType> types;
    std::size_t cells() const noexcept { return static_cast<std::size_t>(gridRows * gridColumns); }
    std::span<const float> feature(std::size_t frame, std::size_t layer, std::size_t cell) const noexcept
    {
        const auto values = static_cast<std::size_t>(width);
        return {features.data() + ((frame * static_cast<std::size_t>(layers) + layer) * cells() + cell) * values, values};
    }
};

/// Runs the model over all samples in their order. Throws Error{UnsupportedFeature (text; blocks whose grid or width changes), OutOfMemory,
/// NonFinite, Cancelled}, and what reading throws.
std::shared_ptr<const FrameFeatures> computeFrames(const nn::Model& model, const measure::SampleSource& source, const RunContext& context);

} // namespace tamis::hierarchy
