// SPDX-License-Identifier: GPL-3.0-or-later
// Compiled with vectorisation on (see CMakeLists.txt): loops without branches, written for it.
#include "core/train/functions.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

namespace tamis::train {
namespace {
using kernels::Activation;
constexpr double kRootHalf = 0.70710678118654752440, kInverseRootTwoPi = 0.39894228040143267794;
constexpr double kTanhGelu = 0.79788456080286535588, kTanhGeluCube = 0.044715; // sqrt(2 / pi)

/// 2^k times a polynomial on [-ln 2 / 2, ln 2 / 2] (coefficients: Cephes' expf). Saturates outside [-87.3, 88.3].
inline float expOf(float x)
{
    x = x < -87.3F ? -87.3F : x;
    x = x > 88.3F ? 88.3F : x;
    const float shifted = x * 1.44269504F + 12582912.0F; // 1.5 * 2^23: the integer part lands in the low bits
    const float k = shifted - 12582912.0F;
    const float scale = std::bit_cast<float>((std::bit_cast<std::uint32_t>(shifted) << 23U) + 0x3f800000U);
    const float r = (x - k * 0.693359375F) + k * 2.12194440e-4F;
    float p = 1.9875691500e-4F;
    p = p * r + 1.3981999507e-3F;
    p = p * r + 8.3334519073e-3F;
    p = p * r + 4.1665795894e-2F;
    p = p * r + 1.6666665459e-1F;
    p = p * r + 5.0000001201e-1F;
    return (p * (r * r) + r + 1.0F) * scale;
}
inline double expOf(double x) { return std::exp(x); }

inline float tanhOf(float x)
{
    const float a = x < 0 ? -x : x;
    const float s = x * x;
    float p = -5.70498872745e-3F; // Cephes' tanhf on [0, 0.625)
    p = p * s + 2.06390887954e-2F;
    p = p * s - 5.37397155531e-2F;
    p = p * s + 1.33314422036e-1F;
    p = p * s - 3.33332819422e-1F;
    const float small = x + x * s * p;
    const float large = 1.0F - 2.0F / (expOf(2.0F * a) + 1.0F);
    return a < 0.625F ? small : (x < 0 ? -large : large);
}
inline double tanhOf(double x) { return std::tanh(x); }

template <class T> inline T sigmoidOf(T x) { return T{1} / (T{1} + expOf(-x)); }

/// Phi(x), the normal distribution function, and its density.
template <class T> struct Normal {
    T below, density;
};

/// erfc(z) = t p(t) exp(-z^2), t = 1 / (1 + z / 2): p fitted in the minimax sense of the relative error, 4.3e-8 on [0, 10].
inline Normal<float> normalOf(float x)
{
    const float z = (x < 0 ? -x : x) * static_cast<float>(kRootHalf);
    const float t = 1.0F / (1.0F + 0.5F * z);
    const float e = expOf(-z * z);
    float p = -0.059069156F;
    p = p * t + 0.284575919F;
    p = p * t - 0.487201864F;
    p = p * t + 0.278069379F;
    p = p * t - 0.0266271618F;
    p = p * t + 0.202687483F;
    p = p * t + 0.243103614F;
    p = p * t + 0.282375328F;
    p = p * t + 0.282086417F;
    const float tail = 0.5F * t * p * e;
    return {x < 0 ? tail : 1.0F - tail, e * static_cast<float>(kInverseRootTwoPi)};
}
inline Normal<double> normalOf(double x) { return {0.5 * std::erfc(-x * kRootHalf), kInverseRootTwoPi * std::exp(-0.5 * x * x)}; }

template <class T> inline T valueOf(Activation activation, T x)
{
    switch (activation) {
    case Activation::None: return x;
    case Activation::Gelu: return x * normalOf(x).below;
    case Activation::GeluTanh: return T{0.5} * x * (T{1} + tanhOf(static_cast<T>(kTanhGelu) * (x + static_cast<T>(kTanhGeluCube) * x * x * x)));
    case Activation::QuickGelu: return x * sigmoidOf(static_cast<T>(1.702) * x);
    case Activation::Relu: return x > 0 ? x : T{0};
    case Activation::Silu: return x * sigmoidOf(x);
    case Activation::Tanh: return tanhOf(x);
    }
    return x;
}

template <class T> inline T slopeOf(Activation activation, T x)
{
    switch (activation) {
    case Activation::None: return T{1};
    case Activation::Gelu: {
        const Normal<T> normal = normalOf(x);
        return normal.below + x * normal.density;
    }
    case Activation::GeluTanh: {
        const T cube = static_cast<T>(kTanhGeluCube);
        const T h = tanhOf(static_cast<T>(kTanhGelu) * (x + cube * x * x * x));
        return T{0.5} * (T{1} + h) + T{0.5} * x * (T{1} - h * h) * static_cast<T>(kTanhGelu) * (T{1} + T{3} * cube * x * x);
    }
    case Activation::QuickGelu: {
        const T s = sigmoidOf(static_cast<T>(1.702) * x);
        return s + static_cast<T>(1.702) * x * s * (T{1} - s);
    }
    case Activation::Relu: return x > 0 ? T{1} : T{0};
    case Activation::Silu: {
        const T s = sigmoidOf(x);
        return s + x * s * (T{1} - s);
    }
    case Activation::Tanh: {
        const T h = tanhOf(x);
        return T{1} - h * h;
    }
    }
    return T{1};
}

template <Activation kind, class T> void activateAs(const T* z, T* y, std::int64_t count)
{
#pragma GCC ivdep // y may be z itself, never a shifted z
    for (std::int64_t i = 0; i < count; ++i)
        y[i] = valueOf(kind, z[i]);
}
template <Activation kind, class T> void slopeAs(const T* __restrict z, T* __restrict g, std::int64_t count)
{
    for (std::int64_t i = 0; i < count; ++i)
        g[i] *= slopeOf(kind, z[i]);
}

constexpr std::int64_t kLanes = 32; // partial sums; their order of addition is part of the result

template <class T> T total(const std::array<T, kLanes>& lanes)
{
    std::array<T, kLanes> part = lanes;
    for (std::int64_t width = kLanes / 2; width > 0; width /= 2)
        for (std::int64_t l = 0; l < width; ++l)
            part[static_cast<std::size_t>(l)] += part[static_cast<std::size_t>(l + width)];
    return part[0];
}

/// The sum of term(i) in kLanes interleaved partial sums.
template <class T, class Term> inline T laneSum(std::int64_t count, const Term& term)
{
    std::array<T, kLanes> lanes{};
    std::int64_t i = 0;
    for (; i + kLanes <= count; i += kLanes)
        for (std::int64_t l = 0; l < kLanes; ++l)
            lanes[static_cast<std::size_t>(l)] += term(i + l);
    for (; i < count; ++i)
        lanes[static_cast<std::size_t>(i % kLanes)] += term(i);
    return total(lanes);
}
} // namespace

template <class T> void activate(Activation activation, const T* z, T* y, std::int64_t count)
{
    switch (activation) {
    case Activation::None: return activateAs<Activation::None>(z, y, count);
    case Activation::Gelu: return activateAs<Activation::Gelu>(z, y, count);
    case Activation::GeluTanh: return activateAs<Activation::GeluTanh>(z, y, count);
    case Activation::QuickGelu: return activateAs<Activation::QuickGelu>(z, y, count);
    case Activation::Relu: return activateAs<Activation::Relu>(z, y, count);
    case Activation::Silu: return activateAs<Activation::Silu>(z, y, count);
    case Activation::Tanh: return activateAs<Activation::Tanh>(z, y, count);
    }
}

template <class T> void activateBackward(Activation activation, const T* z, T* g, std::int64_t count)
{
    switch (activation) {
    case Activation::None: return;
    case Activation::Gelu: return slopeAs<Activation::Gelu>(z, g, count);
    case Activation::GeluTanh: return slopeAs<Activation::GeluTanh>(z, g, count);
    case Activation::QuickGelu: return slopeAs<Activation::QuickGelu>(z, g, count);
    case Activation::Relu: return slopeAs<Activation::Relu>(z, g, count);
    case Activation::Silu: return slopeAs<Activation::Silu>(z, g, count);
    case Activation::Tanh: return slopeAs<Activation::Tanh>(z, g, count);
    }
}

template <class T> void sigmoid(const T* z, T* y, std::int64_t count)
{
    for (std::int64_t i = 0; i < count; ++i)
        y[i] = sigmoidOf(z[i]);
}

template <class T> ExpSum<T> expShifted(T* row, T scale, std::int64_t count)
{
    const T largest = scale >= 0 ? scale * maximum(row, count) : [&] {
        T low = std::numeric_limits<T>::infinity();
        for (std::int64_t i = 0; i < count; ++i)
            low = std::min(low, row[i]);
        return scale * low;
    }();
    for (std::int64_t i = 0; i < count; ++i)
        row[i] = expOf(scale * row[i] - largest);
    return {largest, sum(row, count)};
}

template <class T> void expAgain(T* row, T scale, T logSum, std::int64_t count)
{
    for (std::int64_t i = 0; i < count; ++i)
        row[i] = expOf(scale * row[i] - logSum);
}

template <class T> void scaleRow(T factor, T* y, std::int64_t count)
{
    for (std::int64_t i = 0; i < count; ++i)
        y[i] *= factor;
}

template <class T> void addScaled(T factor, const T* __restrict x, T* __restrict y, std::int64_t count)
{
    for (std::int64_t i = 0; i < count; ++i)
        y[i] += factor * x[i];
}

template <class T> T sum(const T* x, std::int64_t count)
{
    return laneSum<T>(count, [x](std::int64_t i) { return x[i]; });
}

template <class T> T dot(const T* x, const T* y, std::int64_t count)
{
    return laneSum<T>(count, [x, y](std::int64_t i) { return x[i] * y[i]; });
}

template <class T> T squares(const T* x, T shift, std::int64_t count)
{
    return laneSum<T>(count, [x, shift](std::int64_t i) { return (x[i] - shift) * (x[i] - shift); });
}

template <class T> T maximum(const T* x, std::int64_t count)
{
    std::array<T, kLanes> lanes;
    lanes.fill(-std::numeric_limits<T>::infinity());
    std::int64_t i = 0;
    for (; i + kLanes <= count; i += kLanes)
        for (std::int64_t l = 0; l < kLanes; ++l) {
            const T value = x[i + l];
            T& lane = lanes[static_cast<std::size_t>(l)];
            lane = lane < value ? value : lane;
        }
    for (; i < count; ++i)
        lanes[0] = std::max(lanes[0], x[i]);
    return *std::ranges::max_element(lanes);
}

#define TAMIS_TRAIN_FUNCTIONS(T)                                                                                              \
    template void activate<T>(Activation, const T*, T*, std::int64_t);                                                        \
    template void activateBackward<T>(Activation, const T*, T*, std::int64_t);                                                \
    template void sigmoid<T>(const T*, T*, std::int64_t);                                                                     \
    template ExpSum<T> expShifted<T>(T*, T, std::int64_t);                                                                    \
    template void expAgain<T>(T*, T, T, std::int64_t);                                                                        \
    template void scaleRow<T>(T, T*, std::int64_t);                                                                           \
    template void addScaled<T>(T, const T*, T*, std::int64_t);                                                                \
    template T sum<T>(const T*, std::int64_t);                                                                                \
    template T dot<T>(const T*, const T*, std::int64_t);                                                                      \
    template T squares<T>(const T*, T, std::int64_t);                                                                         \
    template T maximum<T>(const T*, std::int64_t)
TAMIS_TRAIN_FUNCTIONS(float);
TAMIS_TRAIN_FUNCTIONS(double);
#undef TAMIS_TRAIN_FUNCTIONS

} // namespace tamis::train
