// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/nn/model_content.h"

#include <algorithm>
#include <cmath>

namespace tamis::nn {

namespace {
struct Taps {
    std::int64_t first = 0;
    std::vector<double> weights;
};

double cubic(double x, double a)
{
    x = std::abs(x);
    if (x < 1)
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

/// Weights of the inputs for output `i`.
Taps antialiasedTaps(std::int64_t in, std::int64_t out, std::int64_t i)
{
    const double scale = static_cast<double>(in) / static_cast<double>(out), stretch = std::max(scale, 1.0);
    const double centre = scale * (static_cast<double>(i) + 0.5), support = 2 * stretch;
    Taps taps;
    taps.first = std::max<std::int64_t>(static_cast<std::int64_t>(centre - support + 0.5), 0);
    const std::int64_t end = std::min<std::int64_t>(static_cast<std::int64_t>(centre + support + 0.5), in);
    double sum = 0;
    for (std::int64_t j = taps.first; j < end; ++j) {
        taps.weights.push_back(cubic((static_cast<double>(j) - centre + 0.5) / stretch, -0.5));
        sum += taps.weights.back();
    }
    for (double& w : taps.weights)
        w /= sum;
    return taps;
}

/// Four taps; inputs beyond the border repeat it, so weights of one input add up.
Taps plainTaps(std::int64_t in, std::int64_t out, std::int64_t i)
{
    const double at = static_cast<double>(in) / static_cast<double>(out) * (static_cast<double>(i) + 0.5) - 0.5;
    const auto base = static_cast<std::int64_t>(std::floor(at));
    Taps taps;
    taps.first = std::clamp<std::int64_t>(base - 1, 0, in - 1);
    taps.weights.assign(static_cast<std::size_t>(std::clamp<std::int64_t>(base + 2, 0, in - 1) - taps.first + 1), 0.0);
    for (std::int64_t j = base - 1; j <= base + 2; ++j)
        taps.weights[static_cast<std::size_t>(std::clamp<std::int64_t>(j, 0, in - 1) - taps.first)] += cubic(at - static_cast<double>(j), -0.75);
    return taps;
}

/// Two taps; beyond the border they repeat it.
Taps linearTaps(std::int64_t in, std::int64_t out, std::int64_t i)
{
    const double at = std::max(0.0, static_cast<double>(in) / static_cast<double>(out) * (static_cast<double>(i) + 0.5) - 0.5);
    Taps taps;
    taps.first = std::min(static_cast<std::int64_t>(at), in - 1);
    const double part = at - static_cast<double>(taps.first);
    taps.weights = taps.first + 1 < in ? std::vector{1 - part, part} : std::vector{1.0};
    return taps;
}

template <class F> std::vector<Taps> tapsOf(F taps, std::int64_t in, std::int64_t out)
{
    std::vector<Taps> all;
    for (std::int64_t i = 0; i < out; ++i)
        all.push_back(taps(in, out, i));
    return all;
}

tensor::Matrix<float> resample(const tensor::Matrix<float>& table, std::int64_t tableWidth, const std::vector<Taps>& down, const std::vector<Taps>& across)
{
    const auto height = static_cast<std::int64_t>(down.size()), width = static_cast<std::int64_t>(across.size());
    tensor::Matrix<float> result(height * width, table.cols());
    std::vector<double> sum(static_cast<std::size_t>(table.cols()));
    for (std::int64_t y = 0; y < height; ++y)
        for (std::int64_t x = 0; x < width; ++x) {
            std::fill(sum.begin(), sum.end(), 0.0);
            const Taps &v = down[static_cast<std::size_t>(y)], &h = across[static_cast<std::size_t>(x)];
            for (std::size_t j = 0; j < v.weights.size(); ++j)
                for (std::size_t i = 0; i < h.weights.size(); ++i) {
                    const double w = v.weights[j] * h.weights[i];
                    const std::int64_t row = (v.first + static_cast<std::int64_t>(j)) * tableWidth + h.first + static_cast<std::int64_t>(i);
                    for (std::int64_t c = 0; c < table.cols(); ++c)
                        sum[static_cast<std::size_t>(c)] += w * table(row, c);
                }
            for (std::int64_t c = 0; c < table.cols(); ++c)
                result(y * width + x, c) = static_cast<float>(sum[static_cast<std::size_t>(c)]);
        }
    return result;
}
} // namespace

tensor::Matrix<float> resamplePositions(const tensor::Matrix<float>& table, std::int64_t tableHeight, std::int64_t tableWidth, std::int64_t height,
                                        std::int64_t width, bool antialias)
{
    const auto taps = antialias ? antialiasedTaps : plainTaps;
    return resample(table, tableWidth, tapsOf(taps, tableHeight, height), tapsOf(taps, tableWidth, width));
}

tensor::Matrix<float> resampleBilinear(const tensor::Matrix<float>& table, std::int64_t tableHeight, std::int64_t tableWidth, std::int64_t height, std::int64_t width)
{
    return resample(table, tableWidth, tapsOf(linearTaps, tableHeight, height), tapsOf(linearTaps, tableWidth, width));
}

} // namespace tamis::nn
