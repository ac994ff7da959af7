// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/quantised_rows.h"

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/encoder/exact.h"
#include "core/kernels/scan_rows.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>

namespace tamis::encoder {
namespace {
using kernels::kStripe;

constexpr int kLevels8 = 127;
constexpr double kLevels4 = 6.99;        // with a dither of 1/2 at most, rounded within [-7, 7]
constexpr int kZero8 = 128, kZero4 = 8;  // added to what is stored: unsigned bytes and half bytes
constexpr int kPlaneLevels = 16383;      // 15 bits with the sign
constexpr double kSmallest = 1e-30;      // a row below it is left to its norm: its scale would be no normal float
constexpr double kLargestScore = 1e37;
constexpr double kSlack = 1e-12;         // relative: roundings of sums in double, and twice the rotation's

/// (D + 1) u / (1 - (D + 1) u): what the scan's D multiply-adds and the bias round, relative to |w| |x| + |b|; one per cent more covers
/// that of the bounds themselves.
double roundingOf(std::int64_t width)
{
    const double n = static_cast<double>(width + 1) * std::ldexp(1.0, -24);
    return 1.01 * n / (1 - n);
}

float roundedUp(double value)
{
    const auto nearest = static_cast<float>(value);
    return static_cast<double>(nearest) < value ? std::nextafter(nearest, std::numeric_limits<float>::infinity()) : nearest;
}

double normOf(std::span<const double> v)
{
    double squares = 0;
    for (const double each : v)
        squares += each * each;
    return std::sqrt(squares) * (1 + kSlack);
}
} // namespace

QuantisedRows::QuantisedRows(const Dictionary& dictionary, const QuantisationSettings& settings, const RunContext& context)
    : m_settings(settings), m_latents(dictionary.latents()), m_width(dictionary.width()), m_depth((dictionary.width() + 7) / 8 * 8)
{
    if (settings.bits != 8 && settings.bits != 4)
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(settings.bits) + " bits a weight, expected 8 or 4");
    if (settings.bits == 4 && !(settings.delta > 0 && settings.delta < 1))
        throw Error(ErrorCode::InvalidParameter, "found delta = " + std::to_string(settings.delta) + ", expected a probability above 0 and below 1");
    if (m_width > kernels::kMaximumDepth)
        throw Error(ErrorCode::LimitExceeded, "found rows of " + std::to_string(m_width) + " features, at most " + std::to_string(kernels::kMaximumDepth) + " can be summed in 32 bits");
    requireFinite(dictionary);
    if (settings.rotated)
        m_rotation = Rotation(m_width, settings.seed);
    if (settings.bits == 4) {
        std::mt19937_64 random(settings.seed + 0x9E3779B97F4A7C15U); // apart from the rotation's
        for (std::int64_t j = 0; j < m_width; ++j)
            m_dither.push_back(std::ldexp(static_cast<double>(random() >> 11), -53) - 0.5);
        m_hoeffding = std::sqrt(std::log(2.0 * static_cast<double>(m_latents) / settings.delta) / 6);
    }
    const auto padded = static_cast<std::size_t>(stripes() * kStripe);
    m_bias.assign(padded, std::numeric_limits<float>::lowest() / 2); // no candidate, and no infinity to make a difference that is no number
    std::copy(dictionary.bias().begin(), dictionary.bias().end(), m_bias.begin());
    for (std::vector<float>* each : {&m_scale, &m_spread, &m_length})
        each->assign(padded, 0.0F);
    m_rows = kernels::scanMemory(static_cast<std::size_t>(stripes() * stripeBytes()));
    std::fill_n(m_rows.get(), static_cast<std::size_t>(stripes() * stripeBytes()), static_cast<std::byte>(settings.bits == 8 ? kZero8 : kZero4 * 17));
    parallelFor(context, static_cast<std::size_t>(stripes()), [&](std::size_t stripe) {
        std::vector<double> scratch;
        for (std::int64_t i = static_cast<std::int64_t>(stripe) * kStripe; i < std::min(m_latents, static_cast<std::int64_t>(stripe + 1) * kStripe); ++i)
            quantise(dictionary, i, scratch);
    });
    for (std::size_t i = 0; i < dictionary.bias().size(); ++i)
        m_largest = std::max(m_largest, dictionary.rowNorms()[i] + std::abs(static_cast<double>(dictionary.bias()[i])));
    context.finish();
}

void QuantisedRows::quantise(const Dictionary& dictionary, std::int64_t latent, std::vector<double>& scratch)
{
    const auto width = static_cast<std::size_t>(m_width), at = static_cast<std::size_t>(latent);
    const std::span<const float> row = dictionary.rows().row(latent);
    scratch.assign(row.begin(), row.end());
    m_rotation.apply(scratch);
    double most = 0;
    for (const double w : scratch)
        most = std::max(most, std::abs(w));
    std::vector<int> q(width);
    double scale = 0;
    if (most > kSmallest) {
        scale = static_cast<double>(static_cast<float>(most / (m_settings.bits == 8 ? kLevels8 : kLevels4)));
        double product = 0, squares = 0;
        for (std::size_t j = 0; j < width; ++j) {
            const double steps = scratch[j] / scale + (m_dither.empty() ? 0.0 : m_dither[j]);
            q[j] = static_cast<int>(std::lround(steps));
            product += scratch[j] * q[j];
            squares += static_cast<double>(q[j]) * q[j];
        }
        if (m_dither.empty()) // the scale that loses least with these integers
            scale = static_cast<double>(static_cast<float>(product / squares));
        store(latent, q);
    }
    double lost = 0, length = 0;
    for (std::size_t j = 0; j < width; ++j) {
        const double kept = scale * (q[j] - (m_dither.empty() ? 0.0 : m_dither[j]));
        lost += (scratch[j] - kept) * (scratch[j] - kept);
        length += kept * kept;
    }
    const double norm = normOf(scratch);
    const double spread = m_dither.empty() || scale == 0 ? std::sqrt(lost) : std::min(std::sqrt(lost), scale * m_hoeffding);
    m_scale[at] = static_cast<float>(scale);
    m_spread[at] = roundedUp(spread * (1 + kSlack) + (roundingOf(m_width) + 4 * kSlack) * norm);
    m_length[at] = roundedUp(std::sqrt(length) * (1 + kSlack));
}

void QuantisedRows::store(std::int64_t latent, std::span<const int> q)
{
    auto* const stripe = reinterpret_cast<std::uint8_t*>(m_rows.get()) + latent / kStripe * stripeBytes();
    const std::size_t row = static_cast<std::size_t>(latent % kStripe), group = m_settings.bits == 8 ? 4 : 8;
    for (std::size_t p = 0; p < q.size(); ++p) {
        std::uint8_t& byte = stripe[(p / group * kStripe + row) * 4 + p % 4];
        if (m_settings.bits == 8)
            byte = static_cast<std::uint8_t>(q[p] + kZero8);
        else if (p % 8 < 4)
            byte = static_cast<std::uint8_t>((byte & 0xF0) | (q[p] + kZero4));
        else
            byte = static_cast<std::uint8_t>((byte & 0x0F) | ((q[p] + kZero4) << 4));
    }
}

std::uint64_t QuantisedRows::bytes() const noexcept
{
    return static_cast<std::uint64_t>(stripes() * stripeBytes()) + 4 * m_scale.size() * sizeof(float);
}

QuantisedToken QuantisedRows::quantised(std::span<const float> x) const
{
    std::vector<double> turned(x.begin(), x.end());
    const double norm = normOf(turned);
    m_rotation.apply(turned);
    double most = 0, dithered = 0, error = 0;
    for (const double value : turned)
        most = std::max(most, std::abs(value));
    QuantisedToken result;
    result.high.resize(static_cast<std::size_t>(m_depth));
    result.low.resize(static_cast<std::size_t>(m_depth));
    const double step = most / kPlaneLevels;
    std::int64_t sum = 0;
    for (std::size_t j = 0; j < turned.size(); ++j) {
        const int value = step > 0 ? std::clamp(static_cast<int>(std::lround(turned[j] / step)), -kPlaneLevels, kPlaneLevels) : 0;
        result.high[j] = static_cast<std::int8_t>(value >> 7);
        result.low[j] = static_cast<std::int8_t>(value & 127);
        sum += value;
        if (!m_dither.empty())
            dithered += m_dither[j] * value;
        error += (turned[j] - step * value) * (turned[j] - step * value);
    }
    const double whole = std::max(norm, normOf(turned));
    result.token = {.high = result.high.data(),
                    .low = result.low.data(),
                    .step = step,
                    .offset = static_cast<double>(sum * (m_settings.bits == 8 ? kZero8 : kZero4)),
                    .dither = step * dithered,
                    .norm = whole,
                    .error = std::sqrt(error) * (1 + kSlack) + 4 * kSlack * whole,
                    .rounding = roundingOf(m_width),
                    .least = std::ldexp(static_cast<double>(m_width + 8), -149)};
    result.bounded = m_largest * (whole + 1) < kLargestScore;
    return result;
}

void QuantisedRows::sums(std::int64_t first, std::int64_t count, std::span<const kernels::BoundToken> tokens, std::int32_t* sums, std::int64_t stride) const
{
    const kernels::BoundTable& table = kernels::bounds();
    const auto few = static_cast<std::size_t>(table.fewTokens);
    const auto sum = m_settings.bits == 8 ? table.sumBytes : table.sumNibbles;
    for (std::size_t t = 0; t < tokens.size(); t += few)
        for (std::int64_t s = 0; s < count; ++s)
            sum(reinterpret_cast<const std::uint8_t*>(m_rows.get()) + (first + s) * stripeBytes(), m_depth, tokens.data() + t, static_cast<std::int64_t>(std::min(few, tokens.size() - t)),
                sums + static_cast<std::int64_t>(t) * stride + s * 2 * kStripe, stride);
}

kernels::BoundRows QuantisedRows::constants(std::int64_t first) const noexcept
{
    const std::int64_t at = first * kStripe;
    return {m_scale.data() + at, m_bias.data() + at, m_spread.data() + at, m_length.data() + at};
}

QuantisedRows::Bounds QuantisedRows::bounds(std::span<const float> x) const
{
    const QuantisedToken token = quantised(x);
    const auto padded = static_cast<std::size_t>(stripes() * kStripe);
    std::vector<std::int32_t> all(2 * padded), survivors(padded);
    Bounds result{std::vector<float>(padded), std::vector<float>(padded)};
    sums(0, stripes(), {&token.token, 1}, all.data(), 0);
    const kernels::BoundRows rows = constants(0);
    float outside = -std::numeric_limits<float>::infinity();
    kernels::bounds().bound(&token.token, &rows, all.data(), static_cast<std::int64_t>(padded), 0, result.lower.data(), result.upper.data(), survivors.data(), &outside);
    result.lower.resize(static_cast<std::size_t>(m_latents));
    result.upper.resize(static_cast<std::size_t>(m_latents));
    return result;
}

} // namespace tamis::encoder
