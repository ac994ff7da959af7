// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/selection.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tamis::tokens {

Assignment keepAll(const TokenSet& set, std::span<const float> scores)
{
    Assignment a;
    a.to.resize(set.sizes.size());
    std::iota(a.to.begin(), a.to.end(), 0);
    a.count = set.tokens();
    a.scores.assign(scores.begin(), scores.end());
    return a;
}

Assignment keepBest(const TokenSet& set, std::span<const float> scores, std::int64_t keep)
{
    Assignment a;
    a.scores.assign(scores.begin(), scores.end());
    std::vector<std::uint8_t> kept = set.protectedRows();
    std::vector<std::int32_t> others;
    for (std::size_t i = 0; i < kept.size(); ++i)
        if (!kept[i])
            others.push_back(static_cast<std::int32_t>(i));
    const std::int64_t forced = set.tokens() - set.prefix - static_cast<std::int64_t>(others.size());
    const auto count = static_cast<std::ptrdiff_t>(std::clamp<std::int64_t>(keep - forced, 0, static_cast<std::int64_t>(others.size())));
    std::ranges::partial_sort(others, others.begin() + count, [&](std::int32_t one, std::int32_t other) {
        const float first = scores[static_cast<std::size_t>(one)], second = scores[static_cast<std::size_t>(other)];
        return first != second ? first > second : one < other;
    });
    for (std::ptrdiff_t i = 0; i < count; ++i)
        kept[static_cast<std::size_t>(others[static_cast<std::size_t>(i)])] = 1;
    for (const std::uint8_t stays : kept)
        a.to.push_back(stays ? static_cast<std::int32_t>(a.count++) : -1);
    return a;
}

std::int64_t keptOf(double keep, std::int64_t patches)
{
    return std::clamp<std::int64_t>(static_cast<std::int64_t>(std::ceil(keep * static_cast<double>(patches))), 1, std::max<std::int64_t>(1, patches));
}

} // namespace tamis::tokens
