// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Which samples are held out and which token rows are kept: spread evenly over samples and positions, decided by counts and
// seed alone, so that a stream needs no memory of what it has seen.
#include <cstddef>
#include <cstdint>
#include <vector>

namespace tamis::measure {

/// `count` samples cut into as many strata as samples are to be held out; one of each stratum is, chosen by the seed.
class HeldOutSplit {
public:
    /// round(fraction * count) samples, but at least one when the fraction is above 0. Throws Error{InvalidParameter} when the
    /// fraction is not in [0, 1) or would leave no sample, or no sample of either kind.
    HeldOutSplit(std::size_t count, double fraction, std::uint64_t seed);

    std::size_t count() const noexcept { return m_count; }
    std::size_t heldOutCount() const noexcept { return m_heldOut.size(); }
    std::size_t calibrationCount() const noexcept { return m_count - m_heldOut.size(); }
    bool heldOut(std::size_t sample) const noexcept;
    /// Position among the samples of its kind.
    std::size_t ordinal(std::size_t sample) const noexcept;

private:
    std::size_t m_count;
    std::vector<std::size_t> m_heldOut; ///< ascending
};

/// Rows of tokens to keep: `rows` in all from `samples` samples.
struct RowQuota {
    std::size_t samples = 0;
    std::uint64_t rows = 0;
    std::uint64_t seed = 0;
};

/// Token positions to keep of the sample with that ordinal, which has `tokens` of them: ascending, without repetition. Each
/// sample gives the same number of rows but for one; they come from equal strata of its positions, at an offset that a
/// golden-ratio sequence over all rows spreads evenly. A sample with fewer tokens than that gives them all.
std::vector<std::int64_t> keptRows(const RowQuota& quota, std::size_t ordinal, std::int64_t tokens);

} // namespace tamis::measure
