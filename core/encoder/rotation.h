// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A random orthogonal map that costs D log D: signs, then Hadamard transforms of the largest powers of two that fit, side by side.
// It spreads a feature that is much larger than the others over its block, so that both sides of a product quantise well; products
// are kept, for the map is orthogonal.
#include <cstdint>
#include <span>
#include <vector>

namespace tamis::encoder {

class Rotation {
public:
    /// The identity.
    Rotation() = default;
    /// Of `width` features, the signs drawn from `seed`. Blocks need no padding: 768 = 512 + 256.
    Rotation(std::int64_t width, std::uint64_t seed);
    bool identity() const noexcept { return m_signs.empty(); }
    /// In place, in double: the result is within 1e-13 of the exact one, relative to its length (17 additions and 2 multiplications at
    /// most in a row, each within 2^-53).
    void apply(std::span<double> x) const;

private:
    std::vector<double> m_signs;
};

} // namespace tamis::encoder
