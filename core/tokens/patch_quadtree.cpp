// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/patch_quadtree.h"

#include "core/base/error.h"
#include "core/tokens/image_complexity.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <queue>
#include <tuple>

namespace tamis::tokens {
namespace {
constexpr int kLevels = 16; ///< beyond either way no patch of 4096 pixels fits

double varianceOf(std::span<const float> values)
{
    double sum = 0, squares = 0;
    const auto origin = static_cast<double>(values.front()), count = static_cast<double>(values.size()); // equal values have a variance of 0 exactly
    for (const float value : values) {
        const double difference = static_cast<double>(value) - origin;
        sum += difference;
        squares += difference * difference;
    }
    return std::max(0.0, (squares - sum * sum / count) / count);
}

/// Looks at windows of one image.
class Measurer {
public:
    Measurer(const nn::PatchSpec& patch, std::span<const float> image, RegionMeasure measure, const RunContext& context) : m_measure(measure), m_map(greyOf(image, patch, context)), m_context(context)
    {
        if (measure == RegionMeasure::Edges)
            m_map = edgeStrength(m_map.view(), m_context);
    }
    double of(const MixedPatch& patch)
    {
        m_context.throwIfStopped();
        m_window.clear();
        for (std::int64_t y = patch.top; y < patch.top + patch.height; ++y) {
            const auto row = m_map.view().row(y).subspan(static_cast<std::size_t>(patch.left), static_cast<std::size_t>(patch.width));
            m_window.insert(m_window.end(), row.begin(), row.end());
        }
        const auto count = static_cast<double>(m_window.size());
        if (m_measure == RegionMeasure::Variance)
            return varianceOf(m_window);
        if (m_measure == RegionMeasure::Entropy)
            return m_window.size() > 1 ? greyEntropy(m_window) / std::log2(std::min(count, static_cast<double>(kGreyBins))) : 0;
        double sum = 0;
        for (const float value : m_window)
            sum += static_cast<double>(value);
        return sum / count;
    }

private:
    RegionMeasure m_measure;
    tensor::Matrix<float> m_map;
    const RunContext& m_context;
    std::vector<float> m_window;
};

std::array<MixedPatch, 4> quarters(const MixedPatch& patch, Measurer& measurer)
{
    std::array<MixedPatch, 4> four;
    for (std::int64_t i = 0; i < 4; ++i) {
        MixedPatch& quarter = four[static_cast<std::size_t>(i)];
        quarter = {patch.level - 1, patch.top + i / 2 * (patch.height / 2), patch.left + i % 2 * (patch.width / 2), patch.height / 2, patch.width / 2, 0};
        quarter.complexity = measurer.of(quarter);
    }
    return four;
}

double weightOf(const MixedPatch& patch) { return patch.complexity * static_cast<double>(patch.height * patch.width); }

std::vector<MixedPatch> splitAbove(std::vector<MixedPatch> waiting, const QuadtreeRule& rule, Measurer& measurer)
{
    std::vector<MixedPatch> done;
    while (!waiting.empty()) {
        const MixedPatch patch = waiting.back();
        waiting.pop_back();
        if (patch.level > rule.smallest && patch.complexity > rule.threshold)
            std::ranges::copy(quarters(patch, measurer), std::back_inserter(waiting));
        else
            done.push_back(patch);
    }
    return done;
}

std::vector<MixedPatch> splitToBudget(const std::vector<MixedPatch>& roots, const QuadtreeRule& rule, Measurer& measurer)
{
    const auto later = [](const MixedPatch& a, const MixedPatch& b) { return std::tuple(weightOf(a), -a.top, -a.left) < std::tuple(weightOf(b), -b.top, -b.left); };
    std::priority_queue<MixedPatch, std::vector<MixedPatch>, decltype(later)> candidates(later);
    std::vector<MixedPatch> done;
    const auto add = [&](const MixedPatch& patch) { patch.level > rule.smallest ? candidates.push(patch) : done.push_back(patch); };
    std::ranges::for_each(roots, add);
    for (auto count = static_cast<std::int64_t>(roots.size()); count + 3 <= rule.budget && !candidates.empty(); count += 3) {
        const MixedPatch patch = candidates.top();
        candidates.pop();
        std::ranges::for_each(quarters(patch, measurer), add);
    }
    for (; !candidates.empty(); candidates.pop())
        done.push_back(candidates.top());
    return done;
}
} // namespace

const std::vector<std::string>& regionMeasureNames()
{
    static const std::vector<std::string> names{"variance", "edges", "entropy"};
    return names;
}

RegionMeasure regionMeasureNamed(std::string_view name)
{
    const auto found = std::ranges::find(regionMeasureNames(), name);
    if (found == regionMeasureNames().end())
        throw Error(ErrorCode::InvalidParameter, "found '" + std::string(name) + "', expected variance, edges or entropy", "measure");
    return static_cast<RegionMeasure>(found - regionMeasureNames().begin());
}

std::string regionMeasureTitle(RegionMeasure measure)
{
    switch (measure) {
    case RegionMeasure::Variance: return "Variance of the patch's greys (normalised, squared)";
    case RegionMeasure::Edges: return "Mean edge strength of the patch (normalised grey per pixel)";
    case RegionMeasure::Entropy: return "Entropy of the patch's greys (share of the most)";
    }
    return {};
}

bool fitsLevel(const nn::PatchSpec& patch, int level)
{
    if (level < -kLevels || level > kLevels)
        return false;
    const std::int64_t factor = std::int64_t{1} << std::abs(level);
    return level >= 0 ? patch.gridHeight % factor == 0 && patch.gridWidth % factor == 0 : patch.patchHeight % factor == 0 && patch.patchWidth % factor == 0;
}

std::int64_t patchesOfLevel(const nn::PatchSpec& patch, int level)
{
    if (!fitsLevel(patch, level))
        throw Error(ErrorCode::InvalidParameter, "found patches of 2^" + std::to_string(level) + " times the model's " + std::to_string(patch.patchHeight) + " x " +
                                                     std::to_string(patch.patchWidth) + " pixels, expected some that the image of " + std::to_string(patch.imageHeight) + " x " +
                                                     std::to_string(patch.imageWidth) + " is whole patches of");
    const std::int64_t factor = std::int64_t{1} << std::abs(level), patches = patch.gridHeight * patch.gridWidth;
    return level >= 0 ? patches / (factor * factor) : patches * factor * factor;
}

std::vector<MixedPatch> splitImage(const nn::PatchSpec& patch, std::span<const float> image, const QuadtreeRule& rule, const RunContext& context)
{
    patchesOfLevel(patch, rule.smallest);
    const std::int64_t roots = patchesOfLevel(patch, rule.largest);
    if (rule.smallest > rule.largest)
        throw Error(ErrorCode::InvalidParameter, "found a smallest patch that is larger than the largest, expected it to be no larger");
    if (rule.budget != 0 && rule.budget < roots)
        throw Error(ErrorCode::InvalidParameter, "found a budget of " + std::to_string(rule.budget) + " patches, expected at least the " + std::to_string(roots) + " of the largest size");
    Measurer measurer(patch, image, rule.measure, context);
    const std::int64_t factor = std::int64_t{1} << std::abs(rule.largest);
    const std::int64_t height = rule.largest >= 0 ? patch.patchHeight * factor : patch.patchHeight / factor, width = rule.largest >= 0 ? patch.patchWidth * factor : patch.patchWidth / factor;
    std::vector<MixedPatch> patches;
    for (std::int64_t top = 0; top < patch.imageHeight; top += height)
        for (std::int64_t left = 0; left < patch.imageWidth; left += width) {
            patches.push_back({rule.largest, top, left, height, width, 0});
            patches.back().complexity = measurer.of(patches.back());
        }
    patches = rule.budget > 0 ? splitToBudget(patches, rule, measurer) : splitAbove(std::move(patches), rule, measurer);
    std::ranges::sort(patches, {}, [](const MixedPatch& each) { return std::pair(each.top, each.left); });
    return patches;
}

} // namespace tamis::tokens
