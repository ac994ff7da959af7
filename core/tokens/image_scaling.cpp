// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/image_scaling.h"

#include "core/base/error.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace tamis::tokens {
namespace {
double kernelAt(Resampling resampling, double x)
{
    x = std::abs(x);
    switch (resampling) {
    case Resampling::Area: return x <= 0.5 ? 1 : 0;
    case Resampling::Bilinear: return std::max(0.0, 1 - x);
    case Resampling::Bicubic: break;
    }
    constexpr double a = -0.5;
    if (x < 1)
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

double supportOf(Resampling resampling)
{
    return resampling == Resampling::Area ? 0.5 : resampling == Resampling::Bilinear ? 1 : 2;
}

struct Taps {
    std::int64_t first = 0;
    std::vector<float> weights;
};

/// Of each of `out` pixels; pixel centres lie at halves, what lies beyond the border has no weight.
std::vector<Taps> tapsOf(std::int64_t in, std::int64_t out, Resampling resampling)
{
    std::vector<Taps> all;
    const double scale = static_cast<double>(in) / static_cast<double>(out), stretch = std::max(scale, 1.0), support = supportOf(resampling) * stretch;
    for (std::int64_t i = 0; i < out; ++i) {
        const double centre = scale * (static_cast<double>(i) + 0.5);
        Taps taps;
        taps.first = std::max<std::int64_t>(static_cast<std::int64_t>(centre - support + 0.5), 0);
        const std::int64_t end = std::min<std::int64_t>(static_cast<std::int64_t>(centre + support + 0.5), in);
        std::vector<double> weights;
        double sum = 0;
        for (std::int64_t j = taps.first; j < end; ++j) {
            weights.push_back(kernelAt(resampling, (static_cast<double>(j) - centre + 0.5) / stretch));
            sum += weights.back();
        }
        for (const double weight : weights)
            taps.weights.push_back(static_cast<float>(weight / sum));
        all.push_back(std::move(taps));
    }
    return all;
}

/// planes [channels * height, width] to [channels * height, to].
std::vector<float> acrossResampled(std::span<const float> image, std::int64_t lines, std::int64_t width, std::int64_t to, Resampling resampling, const RunContext& context)
{
    const std::vector<Taps> taps = tapsOf(width, to, resampling);
    std::vector<float> result(static_cast<std::size_t>(lines * to));
    for (std::int64_t line = 0; line < lines; ++line) {
        context.throwIfStopped();
        for (std::int64_t x = 0; x < to; ++x) {
            const Taps& t = taps[static_cast<std::size_t>(x)];
            const float* from = image.data() + line * width + t.first;
            float sum = 0;
            for (std::size_t j = 0; j < t.weights.size(); ++j)
                sum += t.weights[j] * from[j];
            result[static_cast<std::size_t>(line * to + x)] = sum;
        }
    }
    return result;
}

/// image [channels, height, width] to [channels, to, width].
std::vector<float> downResampled(std::span<const float> image, std::int64_t channels, std::int64_t height, std::int64_t width, std::int64_t to, Resampling resampling, const RunContext& context)
{
    const std::vector<Taps> taps = tapsOf(height, to, resampling);
    std::vector<float> result(static_cast<std::size_t>(channels * to * width));
    for (std::int64_t channel = 0; channel < channels; ++channel)
        for (std::int64_t y = 0; y < to; ++y) {
            context.throwIfStopped();
            const Taps& t = taps[static_cast<std::size_t>(y)];
            float* row = result.data() + (channel * to + y) * width;
            for (std::size_t j = 0; j < t.weights.size(); ++j) {
                const float* from = image.data() + (channel * height + t.first + static_cast<std::int64_t>(j)) * width;
                for (std::int64_t x = 0; x < width; ++x)
                    row[x] += t.weights[j] * from[x];
            }
        }
    return result;
}
} // namespace

PixelSize wholePatches(const nn::PatchSpec& patch, double scale)
{
    const auto sideOf = [scale](std::int64_t grid, std::int64_t side) {
        return side * std::max<std::int64_t>(1, static_cast<std::int64_t>(std::floor(scale * static_cast<double>(grid) + 0.5)));
    };
    return {sideOf(patch.gridHeight, patch.patchHeight), sideOf(patch.gridWidth, patch.patchWidth)};
}

std::vector<float> resampled(std::span<const float> image, std::int64_t channels, PixelSize from, PixelSize to, Resampling resampling, const RunContext& context)
{
    const auto text = [](PixelSize size) { return std::to_string(size.height) + " x " + std::to_string(size.width); };
    if (channels < 1 || std::min({from.height, from.width, to.height, to.width}) < 1 || static_cast<std::int64_t>(image.size()) != channels * from.height * from.width)
        throw Error(ErrorCode::InvalidParameter, "found an image of " + std::to_string(image.size()) + " values to resize from " + text(from) + " to " + text(to) + " pixels, expected " +
                                                     std::to_string(channels) + " values for each of its pixels and sides of 1 or more");
    std::vector<float> result(image.begin(), image.end());
    if (from.width != to.width)
        result = acrossResampled(result, channels * from.height, from.width, to.width, resampling, context);
    if (from.height != to.height)
        result = downResampled(result, channels, from.height, to.width, to.height, resampling, context);
    return result;
}

} // namespace tamis::tokens
