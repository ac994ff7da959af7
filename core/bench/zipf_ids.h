// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Requests with a Zipf law of popularity, the same on every machine with IEEE doubles.
#include <cstdint>
#include <vector>

namespace tamis::bench {

/// p(r) ~ r^-exponent over ranks 1 .. objects, drawn independently by the alias method (Walker 1977, Vose 1991): 12 bytes an object while drawing. Ids are 64 bits, far apart.
class ZipfIds {
public:
    ZipfIds(std::size_t objects, double exponent, std::uint64_t seed);
    std::uint64_t next() noexcept;
    std::vector<std::uint64_t> next(std::size_t count);

private:
    struct Cell {
        std::uint32_t keep, other; ///< keep / 2^32: the share of the cell that is its own
    };
    std::vector<Cell> m_cells;
    std::uint64_t m_state;
};

} // namespace tamis::bench
