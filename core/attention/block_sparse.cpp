// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/block_sparse.h"

#include "core/attention/random_features.h"
#include "core/base/error.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

namespace tamis::attention {
namespace {
constexpr std::int64_t kMostBlocks = 1'000'000;

[[noreturn]] void refusePattern(const std::string& term)
{
    throw Error(ErrorCode::InvalidParameter, "found '" + term + "', expected terms local:N, global:N, random:N or strided:N, each once at most, with commas between them, or all", "pattern");
}

/// The block of rank `rank` among those that are not in `taken`, ascending, and its place there.
std::pair<std::int64_t, std::size_t> notTaken(const std::vector<std::int64_t>& taken, std::int64_t rank)
{
    std::size_t low = 0, high = taken.size();
    while (low < high) {
        const std::size_t middle = (low + high) / 2;
        if (taken[middle] - static_cast<std::int64_t>(middle) > rank) // so many before it are not taken
            high = middle;
        else
            low = middle + 1;
    }
    return {rank + static_cast<std::int64_t>(low), low};
}

/// Blocks that block `i` of `count` sees, ascending.
std::vector<std::int64_t> seenBy(std::int64_t i, std::int64_t count, const BlockPattern& pattern, bool causal, std::uint64_t seed)
{
    const std::int64_t end = causal ? i + 1 : count;
    std::vector<std::int64_t> seen;
    const auto add = [&](std::int64_t first, std::int64_t last, std::int64_t step) {
        for (std::int64_t j = std::max<std::int64_t>(0, first); j < std::min(end, last); j += step)
            seen.push_back(j);
    };
    add(0, i < pattern.global ? end : pattern.global, 1);
    add(i - pattern.local, i + pattern.local + 1, 1);
    if (pattern.strided > 0)
        add(i % pattern.strided, end, pattern.strided);
    std::ranges::sort(seen);
    seen.erase(std::ranges::unique(seen).begin(), seen.end());
    if (pattern.random >= end - static_cast<std::int64_t>(seen.size())) {
        seen.resize(static_cast<std::size_t>(end));
        std::iota(seen.begin(), seen.end(), 0);
        return seen;
    }
    std::mt19937_64 random(seed + static_cast<std::uint64_t>(i) * 0x9E3779B97F4A7C15ULL);
    for (std::int64_t r = 0; r < pattern.random; ++r) {
        const std::uint64_t rest = static_cast<std::uint64_t>(end) - seen.size();
        const auto [block, place] = notTaken(seen, static_cast<std::int64_t>(random() % rest)); // biased by 2^-44 of a few blocks: nothing
        seen.insert(seen.begin() + static_cast<std::ptrdiff_t>(place), block);
    }
    return seen;
}

struct Chosen {
    TokenGrid grid;
    std::int64_t block = 1;
    BlockPattern pattern;
    std::uint64_t seed = 0;
};

Chosen chosenFor(const Inputs& inputs, const Parameters& given)
{
    const Parameters parameters = blockSparseMethod().declaration.schema.complete(given);
    return {gridOf(inputs, "attention.block-sparse"), parameters.integer("block"), blockPattern(parameters.text("pattern")), seedFor(inputs, static_cast<std::uint64_t>(parameters.integer("draw")))};
}

GroupsOf groupsFor(const Inputs& inputs, const Chosen& chosen) { return blockSparseGroups(chosen.grid, chosen.block, chosen.pattern, inputs.spec.causal, chosen.seed); }

nn::AttentionPtr blockSparseOp(const Inputs& inputs, const Parameters& given)
{
    const Chosen chosen = chosenFor(inputs, given);
    return headwise(inputs.spec, groupedRule("block-sparse", groupsFor(inputs, chosen), chosen.grid.tokens()));
}
} // namespace

BlockPattern blockPattern(const std::string& text)
{
    BlockPattern pattern;
    if (text == "all") {
        pattern.local = kMostBlocks;
        return pattern;
    }
    const std::array<std::pair<std::string, std::int64_t*>, 4> terms{{{"local", &pattern.local}, {"global", &pattern.global}, {"random", &pattern.random}, {"strided", &pattern.strided}}};
    std::array<bool, 4> named{};
    for (std::size_t at = 0; at <= text.size();) {
        const std::size_t comma = std::min(text.find(',', at), text.size());
        const std::string term = text.substr(at, comma - at);
        const std::size_t colon = term.find(':');
        std::size_t which = 0;
        while (which < terms.size() && (colon == std::string::npos || term.substr(0, colon) != terms[which].first))
            ++which;
        if (which == terms.size() || std::exchange(named[which], true))
            refusePattern(term);
        std::int64_t& value = *terms[which].second;
        const auto [stop, error] = std::from_chars(term.data() + colon + 1, term.data() + term.size(), value);
        if (error != std::errc() || stop != term.data() + term.size() || value < 0 || value > kMostBlocks || (which == 3 && value == 0))
            refusePattern(term);
        at = comma + 1;
    }
    return pattern;
}

GroupsOf blockSparseGroups(const TokenGrid& grid, std::int64_t blockTokens, const BlockPattern& pattern, bool causal, std::uint64_t seed)
{
    return [=](std::int64_t tokens, const std::function<void(const TokenGroup&)>& each) {
        if (!grid.text() && tokens != grid.tokens())
            throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(tokens) + " tokens, expected " + std::to_string(grid.tokens()), "attention.block-sparse");
        const std::int64_t after = tokens - grid.prefix, count = (after + blockTokens - 1) / blockTokens;
        const auto addBlock = [&](std::int64_t block, std::vector<std::int32_t>& to) {
            for (std::int64_t token = block * blockTokens; token < std::min(after, (block + 1) * blockTokens); ++token)
                to.push_back(static_cast<std::int32_t>(grid.prefix + token));
        };
        std::vector<std::int32_t> prefix(static_cast<std::size_t>(grid.prefix));
        std::iota(prefix.begin(), prefix.end(), 0);
        TokenGroup group;
        for (std::int64_t i = 0; i < count; ++i) {
            group.queries.clear();
            group.keys = prefix;
            addBlock(i, group.queries);
            for (const std::int64_t j : seenBy(i, count, pattern, causal, seed))
                addBlock(j, group.keys);
            each(group);
        }
        if (grid.prefix > 0) {
            std::vector<std::int32_t> all(static_cast<std::size_t>(tokens));
            std::iota(all.begin(), all.end(), 0);
            each({std::move(prefix), std::move(all)});
        }
    };
}

Method blockSparseMethod()
{
    Method method;
    method.declaration = {
        .id = "attention.block-sparse",
        .lab = "attention",
        .title = "Blocks of keys by a pattern",
        .reference = "Zaheer et al. 2020, BigBird: local, global and random blocks; Child et al. 2019, Sparse Transformers: every so many-th block",
        .schema = ParameterSchema({
            {.name = "block", .title = "Block", .type = ParameterType::Integer, .defaultValue = std::int64_t{16}, .minimum = 1, .maximum = 65536, .step = 1, .logarithmic = true, .unit = "tokens",
             .help = "Tokens a block, behind the prefix; photos: patches row by row"},
            {.name = "pattern", .title = "Pattern", .type = ParameterType::Text, .defaultValue = std::string("local:1,global:1,random:2"),
             .help = "local:N blocks to either side, global:N first ones that all see, random:N more, strided:N every N-th; or all"},
            {.name = "draw", .title = "Draw", .type = ParameterType::Integer, .defaultValue = std::int64_t{0}, .minimum = 0, .maximum = 1'000'000, .step = 1, .help = "Another number draws other random blocks"},
        })};
    method.op = blockSparseOp;
    method.onTape = [](const Inputs& inputs, const Parameters& given) { return maskedOnTape(inputs.spec, visibleIn(groupsFor(inputs, chosenFor(inputs, given))), blockSparseOp(inputs, given)); };
    return method;
}

} // namespace tamis::attention
