// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inputs/resize.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <numbers>
#include <utility>
#include <vector>

namespace tamis::inputs {
namespace {

constexpr std::array<std::pair<std::string_view, Interpolation>, 6> kNames{{{"nearest", Interpolation::Nearest},
                                                                            {"box", Interpolation::Box},
                                                                            {"bilinear", Interpolation::Bilinear},
                                                                            {"hamming", Interpolation::Hamming},
                                                                            {"bicubic", Interpolation::Bicubic},
                                                                            {"lanczos", Interpolation::Lanczos}}};

// 8 bits of the pixel, 2 for sums over 1 and below 0 (the kernels with negative lobes), the rest for the weights.
constexpr int kFractionBits = 32 - 8 - 2;

double sinc(double x) { return x == 0.0 ? 1.0 : std::sin(x * std::numbers::pi) / (x * std::numbers::pi); }

double kernel(Interpolation interpolation, double x)
{
    switch (interpolation) {
    case Interpolation::Nearest:
    case Interpolation::Box:
        return x > -0.5 && x <= 0.5 ? 1.0 : 0.0;
    case Interpolation::Bilinear:
        return std::max(0.0, 1.0 - std::abs(x));
    case Interpolation::Hamming:
        x = std::abs(x);
        return x >= 1.0 ? 0.0 : sinc(x) * (0.54 + 0.46 * std::cos(x * std::numbers::pi));
    case Interpolation::Bicubic: {
        constexpr double a = -0.5;
        x = std::abs(x);
        if (x < 1.0)
            return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
        return x < 2.0 ? (((x - 5) * x + 8) * x - 4) * a : 0.0;
    }
    case Interpolation::Lanczos:
        return -3.0 <= x && x < 3.0 ? sinc(x) * sinc(x / 3) : 0.0;
    }
    return 0.0;
}

double kernelSupport(Interpolation interpolation)
{
    switch (interpolation) {
    case Interpolation::Nearest:
    case Interpolation::Box:
        return 0.5;
    case Interpolation::Bilinear:
    case Interpolation::Hamming:
        return 1.0;
    case Interpolation::Bicubic:
        return 2.0;
    case Interpolation::Lanczos:
        return 3.0;
    }
    return 0.0;
}

/// Which input elements, with which weights, make each output element of a line.
struct LineWeights {
    struct Window {
        std::int64_t first = 0, count = 0;
    };
    std::vector<Window> windows;       ///< one an output element
    std::vector<std::int32_t> weights; ///< `stride` an output element, fixed point
    std::size_t stride = 0;

    const std::int32_t* of(std::int64_t output) const { return weights.data() + static_cast<std::size_t>(output) * stride; }
};

LineWeights lineWeights(std::int64_t inputs, std::int64_t outputs, Interpolation interpolation)
{
    const double scale = static_cast<double>(inputs) / static_cast<double>(outputs);
    const double stretch = std::max(scale, 1.0);
    const double support = kernelSupport(interpolation) * stretch;
    LineWeights line;
    line.stride = static_cast<std::size_t>(std::ceil(support)) * 2 + 1;
    line.windows.resize(static_cast<std::size_t>(outputs));
    line.weights.assign(static_cast<std::size_t>(outputs) * line.stride, 0);
    std::vector<double> values(line.stride);
    for (std::int64_t x = 0; x < outputs; ++x) {
        const double centre = (static_cast<double>(x) + 0.5) * scale;
        // Conversions cut towards zero, as in the reference.
        const auto first = std::max<std::int64_t>(0, static_cast<std::int64_t>(centre - support + 0.5));
        const auto count = std::min(inputs, static_cast<std::int64_t>(centre + support + 0.5)) - first;
        double sum = 0.0;
        for (std::int64_t i = 0; i < count; ++i) {
            values[static_cast<std::size_t>(i)] =
                kernel(interpolation, (static_cast<double>(i + first) - centre + 0.5) * (1.0 / stretch));
            sum += values[static_cast<std::size_t>(i)];
        }
        line.windows[static_cast<std::size_t>(x)] = {first, count};
        std::int32_t* weights = line.weights.data() + static_cast<std::size_t>(x) * line.stride;
        for (std::int64_t i = 0; i < count; ++i) {
            const double weight = (sum != 0.0 ? values[static_cast<std::size_t>(i)] / sum : values[static_cast<std::size_t>(i)]) * (1 << kFractionBits);
            weights[i] = static_cast<std::int32_t>(weight < 0 ? weight - 0.5 : weight + 0.5);
        }
    }
    return line;
}

std::uint8_t clipped(std::int32_t sum) { return static_cast<std::uint8_t>(std::clamp(sum >> kFractionBits, 0, 255)); }

constexpr std::int32_t kHalf = 1 << (kFractionBits - 1);

/// Rows [firstRow, firstRow + rows) of `image`, each resized to `width` pixels.
Image resizedRows(const Image& image, std::int64_t width, std::int64_t firstRow, std::int64_t rows, Interpolation interpolation)
{
    const LineWeights line = lineWeights(image.width, width, interpolation);
    Image result = blankImage(width, rows);
    for (std::int64_t y = 0; y < rows; ++y) {
        const std::uint8_t* source = image.row(firstRow + y);
        std::uint8_t* target = result.row(y);
        for (std::int64_t x = 0; x < width; ++x, target += 3) {
            const auto [first, count] = line.windows[static_cast<std::size_t>(x)];
            const std::int32_t* weights = line.of(x);
            const std::uint8_t* pixel = source + first * 3;
            std::int32_t red = kHalf, green = kHalf, blue = kHalf;
            for (std::int64_t i = 0; i < count; ++i, pixel += 3) {
                red += weights[i] * pixel[0];
                green += weights[i] * pixel[1];
                blue += weights[i] * pixel[2];
            }
            target[0] = clipped(red);
            target[1] = clipped(green);
            target[2] = clipped(blue);
        }
    }
    return result;
}

/// Every column resized with `line`, whose windows count rows from `firstRow` of the whole picture on.
Image resizedColumns(const Image& image, const LineWeights& line, std::int64_t firstRow)
{
    const auto height = static_cast<std::int64_t>(line.windows.size());
    Image result = blankImage(image.width, height);
    const auto bytes = static_cast<std::size_t>(image.width * 3);
    std::vector<std::int32_t> sums(bytes);
    for (std::int64_t y = 0; y < height; ++y) {
        std::fill(sums.begin(), sums.end(), kHalf);
        const auto [first, count] = line.windows[static_cast<std::size_t>(y)];
        for (std::int64_t i = 0; i < count; ++i) {
            const std::int32_t weight = line.of(y)[i];
            const std::uint8_t* source = image.row(first - firstRow + i);
            for (std::size_t x = 0; x < bytes; ++x)
                sums[x] += weight * source[x];
        }
        std::uint8_t* target = result.row(y);
        for (std::size_t x = 0; x < bytes; ++x)
            target[x] = clipped(sums[x]);
    }
    return result;
}

/// The element under the middle of each output element. The position is a running sum, as in the reference: it decides ties.
std::vector<std::int64_t> nearestElements(std::int64_t inputs, std::int64_t outputs)
{
    const double step = static_cast<double>(inputs) / static_cast<double>(outputs);
    double position = step * 0.5;
    std::vector<std::int64_t> elements(static_cast<std::size_t>(outputs));
    for (std::int64_t& element : elements) {
        element = std::min(static_cast<std::int64_t>(position), inputs - 1);
        position += step;
    }
    return elements;
}

Image resizedNearest(const Image& image, std::int64_t width, std::int64_t height)
{
    const std::vector<std::int64_t> columns = nearestElements(image.width, width), rows = nearestElements(image.height, height);
    Image result = blankImage(width, height);
    for (std::int64_t y = 0; y < height; ++y) {
        const std::uint8_t* source = image.row(rows[static_cast<std::size_t>(y)]);
        std::uint8_t* target = result.row(y);
        for (std::int64_t x = 0; x < width; ++x)
            std::memcpy(target + x * 3, source + columns[static_cast<std::size_t>(x)] * 3, 3);
    }
    return result;
}

} // namespace

std::string_view interpolationName(Interpolation interpolation) noexcept
{
    for (const auto& [name, value] : kNames)
        if (value == interpolation)
            return name;
    return "unknown";
}

std::optional<Interpolation> parseInterpolation(std::string_view name) noexcept
{
    for (const auto& [known, value] : kNames)
        if (known == name)
            return value;
    return std::nullopt;
}

Image resized(const Image& image, std::int64_t width, std::int64_t height, Interpolation interpolation)
{
    checkImage(image);
    checkImageSides(width, height, "resized picture");
    if (image.width == width && image.height == height)
        return image;
    if (interpolation == Interpolation::Nearest)
        return resizedNearest(image, width, height);
    if (image.height == height)
        return resizedRows(image, width, 0, height, interpolation);
    const LineWeights columns = lineWeights(image.height, height, interpolation);
    if (image.width == width)
        return resizedColumns(image, columns, 0);
    const std::int64_t firstRow = columns.windows.front().first;
    const std::int64_t rows = columns.windows.back().first + columns.windows.back().count - firstRow;
    return resizedColumns(resizedRows(image, width, firstRow, rows, interpolation), columns, firstRow);
}

} // namespace tamis::inputs
