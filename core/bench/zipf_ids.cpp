// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/bench/zipf_ids.h"

#include "core/base/split_mix.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tamis::bench {

ZipfIds::ZipfIds(std::size_t objects, double exponent, std::uint64_t seed) : m_cells(objects), m_state(seed)
{
    std::vector<double> shares(objects);
    for (std::size_t r = 0; r < objects; ++r)
        shares[r] = std::pow(static_cast<double>(r + 1), -exponent);
    const double scale = static_cast<double>(objects) / std::accumulate(shares.rbegin(), shares.rend(), 0.0);
    std::vector<std::uint32_t> poor, rich;
    for (std::size_t r = 0; r < objects; ++r) {
        shares[r] *= scale;
        (shares[r] < 1 ? poor : rich).push_back(static_cast<std::uint32_t>(r));
    }
    const auto bits = [](double share) { return static_cast<std::uint32_t>(std::min(std::ldexp(share, 32), 4294967295.0)); };
    while (!poor.empty() && !rich.empty()) {
        const std::uint32_t small = poor.back(), large = rich.back();
        poor.pop_back();
        m_cells[small] = {bits(shares[small]), large};
        shares[large] -= 1 - shares[small];
        if (shares[large] < 1) {
            rich.pop_back();
            poor.push_back(large);
        }
    }
    for (const std::vector<std::uint32_t>* rest : {&poor, &rich})
        for (const std::uint32_t r : *rest)
            m_cells[r] = {0xFFFFFFFFU, r};
}

std::uint64_t ZipfIds::next() noexcept
{
    const std::uint64_t draw = nextBits(m_state);
    const std::uint64_t at = (draw >> 32U) * m_cells.size() >> 32U;
    const Cell& cell = m_cells[static_cast<std::size_t>(at)];
    const std::uint64_t rank = (draw & 0xFFFFFFFFU) <= cell.keep ? at : cell.other;
    return mixedBits(rank + 1);
}

std::vector<std::uint64_t> ZipfIds::next(std::size_t count)
{
    std::vector<std::uint64_t> ids(count);
    for (std::uint64_t& id : ids)
        id = next();
    return ids;
}

} // namespace tamis::bench
