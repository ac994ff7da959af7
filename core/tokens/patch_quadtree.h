// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// An image cut into patches of several sizes: large where there is little to see, small where there is much.
#include "core/nn/model_spec.h"
#include "core/tokens/image_scaling.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tamis::tokens {

enum class RegionMeasure {
    Variance, ///< of the greys
    Edges,    ///< mean of edgeStrength()
    Entropy   ///< of the histogram of greys, as a share of the most that so many pixels can have: 0 to 1
};
/// "variance", "edges", "entropy": in the order of the enumerators.
const std::vector<std::string>& regionMeasureNames();
/// Throws Error{InvalidParameter}.
RegionMeasure regionMeasureNamed(std::string_view name);
std::string regionMeasureTitle(RegionMeasure measure); ///< with unit

/// Pixels of the image; `level`: its sides are those of the model's patch times 2^level.
struct MixedPatch {
    int level = 0;
    std::int64_t top = 0, left = 0, height = 0, width = 0;
    double complexity = 0; ///< by the rule's measure
    bool operator==(const MixedPatch&) const = default;
};

struct QuadtreeRule {
    RegionMeasure measure = RegionMeasure::Variance;
    int smallest = 0, largest = 0; ///< levels
    std::int64_t budget = 0;       ///< patches at most, where it is above 0: the patch of the largest complexity times area is split next, the first of equals
    double threshold = 0;          ///< else: patches of a higher complexity are split
};

/// Whether the image is whole patches of that level, and they whole pixels.
bool fitsLevel(const nn::PatchSpec& patch, int level);
/// Patches of a level that the image has. Throws Error{InvalidParameter} for one that does not fit.
std::int64_t patchesOfLevel(const nn::PatchSpec& patch, int level);

/// Every pixel of `image` [channels, height, width] is in exactly one patch; row by row of their upper left corners. With a budget of
/// b >= patchesOfLevel(largest) there are b patches, or up to two fewer (a split adds three), or fewer where all are smallest.
/// Throws Error{InvalidParameter} for levels that do not fit or are the wrong way round and for a budget below the largest patches, Error{Cancelled} within a split.
std::vector<MixedPatch> splitImage(const nn::PatchSpec& patch, std::span<const float> image, const QuadtreeRule& rule, const RunContext& context = {});

} // namespace tamis::tokens
