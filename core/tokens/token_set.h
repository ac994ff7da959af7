// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Which source tokens the tokens of one image stand for, somewhere on their way through a model.
#include <cstdint>
#include <vector>

namespace tamis::tokens {

struct Assignment;

/// What the user has said of source tokens.
enum class Wish : std::uint8_t { None, Keep, Drop };

struct TokenSet {
    std::int64_t prefix = 0;             ///< rows 0 .. prefix - 1 are no patches and stay
    std::int64_t gridRows = 0, gridCols = 0; ///< of the source patches
    std::vector<float> sizes;            ///< [tokens]: source tokens that each stands for
    std::vector<float> keyWeights;       ///< [tokens]: proportional attention adds their log to the keys' scores; the sizes as a rule
    std::vector<std::int32_t> row;       ///< [source tokens]: the token that holds it now, -1: pruned
    std::vector<Wish> wishes;            ///< [source tokens], or empty: none

    std::int64_t tokens() const noexcept { return static_cast<std::int64_t>(sizes.size()); }
    /// Tokens that hold one that the user keeps, and the prefix: 1 each, [tokens].
    std::vector<std::uint8_t> protectedRows() const;
    /// Afterwards sizes sum to what they did, less what was pruned. Throws Error{InvalidParameter} for an assignment that does not fit.
    void apply(const Assignment& assignment);
};

/// Every source token is a token of size 1.
TokenSet wholeSet(std::int64_t prefix, std::int64_t gridRows, std::int64_t gridCols);

} // namespace tamis::tokens
