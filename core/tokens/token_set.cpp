// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/token_set.h"

#include "core/base/error.h"
#include "core/tokens/reduction.h"

#include <algorithm>
#include <numeric>
#include <string>

namespace tamis::tokens {
namespace {
void requireFit(bool holds, const std::string& message)
{
    if (!holds)
        throw Error(ErrorCode::InvalidParameter, message, "token reduction");
}

/// Every row once at least, prefix rows where they were, nothing beyond.
void requireFit(const Assignment& a, std::int64_t tokens, std::int64_t prefix)
{
    requireFit(static_cast<std::int64_t>(a.to.size()) == tokens, "found places for " + std::to_string(a.to.size()) + " tokens, expected one for each of " + std::to_string(tokens));
    requireFit(a.count >= 1 && a.count <= tokens, "found " + std::to_string(a.count) + " tokens left of " + std::to_string(tokens) + ", expected 1 to as many as there were");
    for (const std::size_t found : {a.weights.size(), a.scores.size(), a.keyShares.size()})
        requireFit(found == 0 || found == a.to.size(), "found " + std::to_string(found) + " weights, scores or shares, expected none or one for each of " + std::to_string(tokens) + " tokens");
    requireFit(a.sum.empty() || static_cast<std::int64_t>(a.sum.size()) == a.count, "found " + std::to_string(a.sum.size()) + " marks of sums, expected none or one for each row left");
    std::vector<std::uint8_t> held(static_cast<std::size_t>(a.count));
    for (std::int64_t i = 0; i < tokens; ++i) {
        const std::int32_t to = a.to[static_cast<std::size_t>(i)];
        requireFit(to >= -1 && to < a.count, "found row " + std::to_string(to) + " for token " + std::to_string(i) + ", expected -1 to " + std::to_string(a.count - 1));
        requireFit(i >= prefix || to == i, "found prefix token " + std::to_string(i) + " moved or pruned, expected it where it was");
        if (to >= 0)
            held[static_cast<std::size_t>(to)] = 1;
    }
    requireFit(std::ranges::find(held, 0) == held.end(), "found a row without a token, expected one at least in each of " + std::to_string(a.count));
}
} // namespace

std::vector<std::uint8_t> TokenSet::protectedRows() const
{
    std::vector<std::uint8_t> result(sizes.size());
    std::fill_n(result.begin(), prefix, std::uint8_t{1});
    for (std::size_t source = 0; source < wishes.size(); ++source)
        if (wishes[source] == Wish::Keep && row[source] >= 0)
            result[static_cast<std::size_t>(row[source])] = 1;
    return result;
}

void TokenSet::apply(const Assignment& assignment)
{
    requireFit(assignment, tokens(), prefix);
    std::vector<float> next(static_cast<std::size_t>(assignment.count)), nextWeights(next.size());
    for (std::size_t i = 0; i < sizes.size(); ++i)
        if (assignment.to[i] >= 0) {
            const auto to = static_cast<std::size_t>(assignment.to[i]);
            next[to] += sizes[i];
            nextWeights[to] += (assignment.keyShares.empty() ? 1.0f : assignment.keyShares[i]) * keyWeights[i];
        }
    for (std::int32_t& held : row)
        if (held >= 0)
            held = assignment.to[static_cast<std::size_t>(held)];
    sizes = std::move(next);
    keyWeights = std::move(nextWeights);
}

TokenSet wholeSet(std::int64_t prefix, std::int64_t gridRows, std::int64_t gridCols)
{
    TokenSet set;
    set.prefix = prefix;
    set.gridRows = gridRows;
    set.gridCols = gridCols;
    const auto tokens = static_cast<std::size_t>(prefix + gridRows * gridCols);
    set.sizes.assign(tokens, 1.0f);
    set.keyWeights = set.sizes;
    set.row.resize(tokens);
    std::iota(set.row.begin(), set.row.end(), 0);
    return set;
}

} // namespace tamis::tokens
