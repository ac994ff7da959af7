// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tensor/convert.h"

#include "core/base/error.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <string>
#ifdef __F16C__
#include <immintrin.h>
#endif

// The loops read and write through memcpy, so that any alignment will do; the compiler turns them into vector code.
static_assert(std::endian::native == std::endian::little, "stored elements are little-endian and are not swapped");
static_assert(std::numeric_limits<float>::is_iec559 && std::numeric_limits<double>::is_iec559);

namespace tamis::tensor {
namespace {

// IEEE 754 binary16 -> binary32, exact. A signalling NaN becomes quiet, as the hardware instruction does.
float floatOfHalf(std::uint16_t half) noexcept
{
    const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000u) << 16;
    const std::uint32_t exponent = (half >> 10) & 0x1fu;
    const std::uint32_t fraction = half & 0x3ffu;
    if (exponent == 0) { // zero and subnormals: fraction * 2^-24, exact in float
        const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
        return std::bit_cast<float>(std::bit_cast<std::uint32_t>(magnitude) | sign);
    }
    if (exponent == 31)
        return std::bit_cast<float>(sign | 0x7f800000u | (fraction << 13) | (fraction ? 0x400000u : 0u));
    return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (fraction << 13));
}

// binary32 -> binary16, to nearest, ties to even.
std::uint16_t halfOfFloat(float value) noexcept
{
    const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
    const std::uint32_t sign = (bits >> 16) & 0x8000u;
    const std::uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) // NaN, made quiet, with the upper part of its payload
        return static_cast<std::uint16_t>(sign | 0x7e00u | ((magnitude >> 13) & 0x3ffu));
    if (magnitude >= 0x47800000u) // 2^16 and above
        return static_cast<std::uint16_t>(sign | 0x7c00u);
    if (magnitude < 0x33000000u) // below 2^-25, half of the smallest subnormal
        return static_cast<std::uint16_t>(sign);
    std::uint32_t shift = 13, significand = magnitude, base = 0;
    if (magnitude >= 0x38800000u) { // normal: 2^-14 and above; rebias the exponent, a carry of the rounding runs into it
        significand = magnitude - 0x38000000u;
    } else {
        shift = 126 - (magnitude >> 23);
        significand = (magnitude & 0x7fffffu) | 0x800000u;
    }
    base = significand >> shift;
    const std::uint32_t rest = significand & ((1u << shift) - 1), tie = 1u << (shift - 1);
    base += (rest > tie || (rest == tie && (base & 1u))) ? 1u : 0u;
    return static_cast<std::uint16_t>(sign | base);
}

std::uint16_t brainOfFloat(float value) noexcept
{
    const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
    const std::uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
    const std::uint32_t quiet = (bits >> 16) | 0x40u;
    return static_cast<std::uint16_t>((bits & 0x7fffffffu) > 0x7f800000u ? quiet : rounded);
}

// The float nearest to value in the sense "exact, or with an odd last bit": rounding that once more to 11 or 8 bits gives
// what rounding the double directly would (S. Boldo, G. Melquiond, When double rounding is odd, 2005: needs 2 spare bits).
float roundToOdd(double value) noexcept
{
    const float nearest = static_cast<float>(value);
    const double back = nearest;
    std::uint32_t bits = std::bit_cast<std::uint32_t>(nearest);
    if (back == value || value != value || (bits & 1u))
        return nearest;
    const bool away = (value < 0 ? -value : value) > (back < 0 ? -back : back);
    bits = away ? bits + 1 : bits - 1; // an infinity that stands for a finite double becomes the largest float, which is odd
    return std::bit_cast<float>(bits);
}

void halvesToFloats(const std::byte* source, float* target, std::size_t count) noexcept
{
    std::size_t i = 0;
#ifdef __F16C__
    for (; i + 8 <= count; i += 8) {
        const __m128i halves = _mm_loadu_si128(reinterpret_cast<const __m128i*>(source + 2 * i));
        _mm256_storeu_ps(target + i, _mm256_cvtph_ps(halves));
    }
#endif
    for (; i < count; ++i) {
        std::uint16_t half;
        std::memcpy(&half, source + 2 * i, 2);
        target[i] = floatOfHalf(half);
    }
}

void floatsToHalves(const float* source, std::byte* target, std::size_t count) noexcept
{
    std::size_t i = 0;
#ifdef __F16C__
    for (; i + 8 <= count; i += 8) {
        const __m256 values = _mm256_loadu_ps(source + i);
        _mm_storeu_si128(reinterpret_cast<__m128i*>(target + 2 * i),
                         _mm256_cvtps_ph(values, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
    }
#endif
    for (; i < count; ++i) {
        const std::uint16_t half = halfOfFloat(source[i]);
        std::memcpy(target + 2 * i, &half, 2);
    }
}

template <class Stored, class T, class Convert>
void decodeLoop(const std::byte* source, T* target, std::size_t count, Convert convert) noexcept
{
    for (std::size_t i = 0; i < count; ++i) {
        Stored stored;
        std::memcpy(&stored, source + sizeof(Stored) * i, sizeof(Stored));
        target[i] = convert(stored);
    }
}

template <class Stored, class T, class Convert>
void encodeLoop(const T* source, std::byte* target, std::size_t count, Convert convert) noexcept
{
    for (std::size_t i = 0; i < count; ++i) {
        const Stored stored = convert(source[i]);
        std::memcpy(target + sizeof(Stored) * i, &stored, sizeof(Stored));
    }
}

template <class T> void decodeHalves(const std::byte* source, T* target, std::size_t count) noexcept
{
    if constexpr (std::is_same_v<T, float>) {
        halvesToFloats(source, target, count);
    } else {
        std::array<float, 512> block;
        for (std::size_t done = 0; done < count; done += block.size()) {
            const std::size_t part = std::min(block.size(), count - done);
            halvesToFloats(source + 2 * done, block.data(), part);
            std::copy_n(block.data(), part, target + done);
        }
    }
}

void checkSize(DType type, std::size_t bytes, std::size_t elements)
{
    const std::size_t size = dtypeSize(type);
    if (bytes % size != 0 || bytes / size != elements)
        throw Error(ErrorCode::MalformedFile, std::to_string(elements) + " elements of type " + std::string(dtypeName(type)) + " take " +
                                                  std::to_string(elements * size) + " bytes, found " + std::to_string(bytes));
}

template <class T> void decodeAs(DType type, std::span<const std::byte> bytes, std::span<T> destination)
{
    checkSize(type, bytes.size(), destination.size());
    if (destination.empty())
        return;
    const std::byte* source = bytes.data();
    T* target = destination.data();
    const std::size_t count = destination.size();
    const auto cast = [](auto stored) { return static_cast<T>(stored); };
    switch (type) {
    case DType::F64: decodeLoop<double>(source, target, count, cast); break;
    case DType::F32: decodeLoop<float>(source, target, count, cast); break;
    case DType::F16: decodeHalves(source, target, count); break;
    case DType::BF16:
        decodeLoop<std::uint16_t>(source, target, count, [](std::uint16_t stored) {
            return static_cast<T>(std::bit_cast<float>(static_cast<std::uint32_t>(stored) << 16));
        });
        break;
    case DType::I64: decodeLoop<std::int64_t>(source, target, count, cast); break;
    case DType::I32: decodeLoop<std::int32_t>(source, target, count, cast); break;
    case DType::I16: decodeLoop<std::int16_t>(source, target, count, cast); break;
    case DType::I8: decodeLoop<std::int8_t>(source, target, count, cast); break;
    case DType::U8: decodeLoop<std::uint8_t>(source, target, count, cast); break;
    case DType::Bool:
        decodeLoop<std::uint8_t>(source, target, count, [](std::uint8_t stored) { return static_cast<T>(stored != 0); });
        break;
    }
}

template <class T> void encodeAs(DType type, std::span<const T> values, std::span<std::byte> destination)
{
    if (!isFloating(type))
        throw Error(ErrorCode::UnsupportedFeature,
                    "values can be stored as F64, F32, F16 or BF16, not as " + std::string(dtypeName(type)));
    checkSize(type, destination.size(), values.size());
    if (values.empty())
        return;
    const T* source = values.data();
    std::byte* target = destination.data();
    const std::size_t count = values.size();
    const auto once = [](T value) {
        if constexpr (std::is_same_v<T, float>)
            return value;
        else
            return roundToOdd(value);
    };
    switch (type) {
    case DType::F64: encodeLoop<double>(source, target, count, [](T value) { return static_cast<double>(value); }); break;
    case DType::F32: encodeLoop<float>(source, target, count, [](T value) { return static_cast<float>(value); }); break;
    case DType::BF16: encodeLoop<std::uint16_t>(source, target, count, [&](T value) { return brainOfFloat(once(value)); }); break;
    case DType::F16:
        if constexpr (std::is_same_v<T, float>)
            floatsToHalves(source, target, count);
        else
            encodeLoop<std::uint16_t>(source, target, count, [&](T value) { return halfOfFloat(once(value)); });
        break;
    default: break; // refused above
    }
}

// Counts in blocks, with counters as wide as the elements, so that the inner loop is plain vector arithmetic.
template <class Bits, class T> FiniteCount count(std::span<const T> values, Bits infinity) noexcept
{
    FiniteCount result;
    constexpr std::size_t kBlock = 1u << 16;
    const Bits mask = static_cast<Bits>(~Bits{0}) >> 1;
    for (std::size_t begin = 0; begin < values.size(); begin += kBlock) {
        const std::size_t end = std::min(values.size(), begin + kBlock);
        Bits nan = 0, infinite = 0;
        for (std::size_t i = begin; i < end; ++i) {
            const Bits magnitude = std::bit_cast<Bits>(values[i]) & mask;
            nan += magnitude > infinity ? 1u : 0u;
            infinite += magnitude == infinity ? 1u : 0u;
        }
        result.nan += nan;
        result.infinite += infinite;
    }
    return result;
}
} // namespace

void decode(DType type, std::span<const std::byte> bytes, std::span<float> destination)
{
    decodeAs(type, bytes, destination);
}

void decode(DType type, std::span<const std::byte> bytes, std::span<double> destination)
{
    decodeAs(type, bytes, destination);
}

void encode(DType type, std::span<const float> values, std::span<std::byte> destination)
{
    encodeAs(type, values, destination);
}

void encode(DType type, std::span<const double> values, std::span<std::byte> destination)
{
    encodeAs(type, values, destination);
}

FiniteCount countNonFinite(std::span<const float> values) noexcept
{
    return count<std::uint32_t>(values, 0x7f800000u);
}

FiniteCount countNonFinite(std::span<const double> values) noexcept
{
    return count<std::uint64_t>(values, 0x7ff0000000000000u);
}

} // namespace tamis::tensor
