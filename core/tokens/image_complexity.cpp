// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/image_complexity.h"

#include "core/base/error.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>

namespace tamis::tokens {
namespace {
constexpr std::array<std::string_view, 3> kNames{"entropy", "edge-strength", "edge-share"};

std::size_t binOf(float grey)
{
    const double place = (static_cast<double>(grey) + kGreyRange) / (2 * kGreyRange) * kGreyBins;
    return static_cast<std::size_t>(std::clamp(std::floor(place), 0.0, kGreyBins - 1.0));
}
} // namespace

std::vector<std::string_view> complexityNames() { return {kNames.begin(), kNames.end()}; }

Complexity complexityNamed(std::string_view name)
{
    const auto found = std::ranges::find(kNames, name);
    if (found == kNames.end())
        throw Error(ErrorCode::InvalidParameter, "found the measure '" + std::string(name) + "', expected entropy, edge-strength or edge-share", "measure");
    return static_cast<Complexity>(found - kNames.begin());
}

tensor::Matrix<float> greyOf(std::span<const float> image, const nn::PatchSpec& patch, const RunContext& context)
{
    tensor::Matrix<float> grey(patch.imageHeight, patch.imageWidth);
    if (patch.channels < 1 || image.size() != grey.size() * static_cast<std::size_t>(patch.channels))
        throw Error(ErrorCode::InvalidParameter, "found an image of " + std::to_string(image.size()) + " values, expected " + std::to_string(patch.channels) + " x " +
                    std::to_string(patch.imageHeight) + " x " + std::to_string(patch.imageWidth));
    const auto width = static_cast<std::size_t>(patch.imageWidth);
    for (std::size_t i = 0; i < grey.size(); ++i) {
        if (i % width == 0)
            context.throwIfStopped();
        double sum = 0;
        for (std::size_t channel = 0; channel < static_cast<std::size_t>(patch.channels); ++channel)
            sum += static_cast<double>(image[channel * grey.size() + i]);
        grey.values()[i] = static_cast<float>(sum / static_cast<double>(patch.channels));
    }
    return grey;
}

double greyEntropy(std::span<const float> grey)
{
    std::vector<std::int64_t> counts(kGreyBins);
    for (const float value : grey)
        ++counts[binOf(value)];
    double entropy = 0;
    for (const std::int64_t count : counts)
        if (count > 0) {
            const double share = static_cast<double>(count) / static_cast<double>(grey.size());
            entropy -= share * std::log2(share);
        }
    return std::max(0.0, entropy);
}

tensor::Matrix<float> edgeStrength(tensor::MatrixView<const float> grey, const RunContext& context)
{
    tensor::Matrix<float> strength(grey.rows, grey.cols);
    for (std::int64_t y = 0; y < grey.rows; ++y) {
        context.throwIfStopped();
        const auto above = grey.row(std::max<std::int64_t>(0, y - 1)), here = grey.row(y), below = grey.row(std::min(grey.rows - 1, y + 1));
        for (std::int64_t x = 0; x < grey.cols; ++x) {
            const auto left = static_cast<std::size_t>(std::max<std::int64_t>(0, x - 1)), middle = static_cast<std::size_t>(x), right = static_cast<std::size_t>(std::min(grey.cols - 1, x + 1));
            const float across = (above[right] - above[left]) + 2 * (here[right] - here[left]) + (below[right] - below[left]);
            const float down = (below[left] - above[left]) + 2 * (below[middle] - above[middle]) + (below[right] - above[right]);
            strength(y, x) = std::sqrt(across * across + down * down) / 8;
        }
    }
    return strength;
}

std::vector<double> patchEdges(std::span<const float> image, const nn::PatchSpec& patch, const RunContext& context)
{
    const tensor::Matrix<float> strength = edgeStrength(greyOf(image, patch, context).view(), context);
    std::vector<double> means;
    for (std::int64_t row = 0; row < patch.gridHeight; ++row)
        for (std::int64_t col = 0; col < patch.gridWidth; ++col) {
            double sum = 0;
            for (std::int64_t y = row * patch.patchHeight; y < (row + 1) * patch.patchHeight; ++y)
                for (const float value : strength.view().row(y).subspan(static_cast<std::size_t>(col * patch.patchWidth), static_cast<std::size_t>(patch.patchWidth)))
                    sum += static_cast<double>(value);
            means.push_back(sum / static_cast<double>(patch.patchHeight * patch.patchWidth));
        }
    return means;
}

double complexityOf(Complexity measure, std::span<const float> image, const nn::PatchSpec& patch, const RunContext& context)
{
    const tensor::Matrix<float> grey = greyOf(image, patch, context);
    if (measure == Complexity::Entropy)
        return greyEntropy(grey.values()) / std::log2(static_cast<double>(kGreyBins));
    const tensor::Matrix<float> strength = edgeStrength(grey.view(), context);
    double sum = 0;
    for (const float value : strength.values())
        sum += measure == Complexity::EdgeShare ? (static_cast<double>(value) > kEdge ? 1.0 : 0.0) : static_cast<double>(value);
    return sum / static_cast<double>(strength.size());
}

} // namespace tamis::tokens
