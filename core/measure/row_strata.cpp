// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/measure/row_strata.h"

#include "core/base/error.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace tamis::measure {
namespace {

/// Mixes 64 bits; Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014.
std::uint64_t mixed(std::uint64_t value) noexcept
{
    value += 0x9e3779b97f4a7c15u;
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
    return value ^ (value >> 31);
}

/// floor(count * part / parts), part <= parts < 2^32: nothing overflows.
std::uint64_t share(std::uint64_t count, std::uint64_t part, std::uint64_t parts)
{
    return count / parts * part + count % parts * part / parts;
}

} // namespace

HeldOutSplit::HeldOutSplit(std::size_t count, double fraction, std::uint64_t seed) : m_count(count)
{
    if (!(fraction >= 0) || fraction >= 1)
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(fraction) + ", expected a fraction of at least 0 and below 1",
                    "heldOut");
    if (count == 0)
        throw Error(ErrorCode::InvalidParameter, "found no sample, expected at least one", "samples");
    if (fraction == 0)
        return;
    const auto rounded = static_cast<std::size_t>(std::llround(fraction * static_cast<double>(count)));
    const std::size_t heldOut = std::max<std::size_t>(1, rounded);
    if (heldOut >= count)
        throw Error(ErrorCode::InvalidParameter, "holding out " + std::to_string(heldOut) + " of " + std::to_string(count)
                                                     + " samples leaves none to calibrate with", "heldOut");
    m_heldOut.reserve(heldOut);
    for (std::size_t stratum = 0; stratum < heldOut; ++stratum) {
        const std::size_t begin = share(count, stratum, heldOut), end = share(count, stratum + 1, heldOut);
        m_heldOut.push_back(begin + mixed(mixed(seed) ^ stratum) % (end - begin));
    }
}

bool HeldOutSplit::heldOut(std::size_t sample) const noexcept { return std::ranges::binary_search(m_heldOut, sample); }

std::size_t HeldOutSplit::ordinal(std::size_t sample) const noexcept
{
    const auto before = static_cast<std::size_t>(std::ranges::lower_bound(m_heldOut, sample) - m_heldOut.begin());
    return heldOut(sample) ? before : sample - before;
}

std::vector<std::int64_t> keptRows(const RowQuota& quota, std::size_t ordinal, std::int64_t tokens)
{
    std::vector<std::int64_t> kept;
    if (quota.samples == 0 || tokens <= 0)
        return kept;
    const std::uint64_t begin = share(quota.rows, ordinal, quota.samples), end = share(quota.rows, ordinal + 1, quota.samples);
    const auto length = static_cast<std::uint64_t>(tokens), strata = std::min(end - begin, length);
    kept.reserve(strata);
    // frac(g * golden ratio), in 64-bit fixed point: consecutive rows fall far apart, all of them fill [0, 1) evenly.
    // Samples have fewer than 2^32 tokens, so its upper half times a stratum's size does not overflow.
    constexpr std::uint64_t kGolden = 0x9e3779b97f4a7c15u;
    const std::uint64_t offset = mixed(quota.seed + 1);
    for (std::uint64_t stratum = 0; stratum < strata; ++stratum) {
        const std::uint64_t first = share(length, stratum, strata), size = share(length, stratum + 1, strata) - first;
        const std::uint64_t fraction = offset + (begin + stratum) * kGolden;
        kept.push_back(static_cast<std::int64_t>(first + ((fraction >> 32) * size >> 32)));
    }
    return kept;
}

} // namespace tamis::measure
