// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/group_mix.h"

#include "core/attention/softmax_mix.h"
#include "core/linalg/float_product.h"

#include <algorithm>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <tuple>
#include <utility>

namespace tamis::attention {
namespace {
using kernels::ConstRows;
using kernels::Rows;
using linalg::floatProduct;
using linalg::Turn;

constexpr auto kTile = static_cast<std::size_t>(kGroupTile);

/// each(first query, queries, keys) of every tile of a group; keys: the first so many.
template <class Each> void forTiles(const TokenGroup& group, bool causal, const Each& each)
{
    for (std::size_t first = 0; first < group.queries.size(); first += kTile) {
        const std::size_t count = std::min(kTile, group.queries.size() - first);
        const auto end = causal ? std::upper_bound(group.keys.begin(), group.keys.end(), group.queries[first + count - 1]) : group.keys.end();
        each(first, count, static_cast<std::size_t>(end - group.keys.begin()));
    }
}

void gather(ConstRows from, const std::int32_t* places, Rows to)
{
    for (std::int64_t i = 0; i < to.rows; ++i)
        std::copy_n(from.data + places[i] * from.stride, from.cols, to.data + i * to.stride);
}

class Grouped final : public HeadRule {
public:
    Grouped(std::string kind, GroupsOf groups, std::int64_t tokens) : m_kind(std::move(kind)), m_groupsOf(std::move(groups)), m_tokens(tokens) {}
    std::string_view kind() const noexcept override { return m_kind; }
    std::uint64_t macs(const HeadShape& shape, std::int64_t tokens, std::int64_t width) const noexcept override
    {
        const auto pairs = static_cast<double>(counted(shape, tokens, width).pairs) * (m_tokens > 0 ? static_cast<double>(tokens) / static_cast<double>(m_tokens) : 1);
        return static_cast<std::uint64_t>(pairs) * static_cast<std::uint64_t>(shape.dim + width);
    }
    /// With the places of one group, as groupFloats().
    std::uint64_t liveFloats(const HeadShape& shape, std::int64_t tokens, std::int64_t width) const noexcept override { return counted(shape, tokens, width).floats; }
    void mix(const HeadShape& shape, ConstRows q, ConstRows k, ConstRows v, Rows out, nn::Scratch& scratch) const override
    {
        m_groupsOf(q.rows, [&](const TokenGroup& group) { mixByGroups(shape, {&group, 1}, q, k, v, out, scratch); });
    }

private:
    struct Count {
        std::uint64_t pairs = 0, floats = 0;
    };
    Count counted(const HeadShape& shape, std::int64_t asked, std::int64_t width) const
    {
        const std::int64_t tokens = m_tokens > 0 ? m_tokens : asked;
        const std::lock_guard lock(m_mutex);
        const auto [place, added] = m_counts.try_emplace({tokens, shape.dim, width, shape.causal});
        if (added)
            m_groupsOf(tokens, [&](const TokenGroup& group) {
                place->second.pairs += pairsOf({&group, 1}, shape.causal);
                place->second.floats = std::max(place->second.floats, groupFloats({&group, 1}, shape.causal, shape.dim, width));
            });
        return place->second;
    }
    std::string m_kind;
    GroupsOf m_groupsOf;
    std::int64_t m_tokens;
    mutable std::mutex m_mutex; ///< of m_counts
    mutable std::map<std::tuple<std::int64_t, std::int64_t, std::int64_t, bool>, Count> m_counts; ///< of tokens, features, width and whether causal
};
} // namespace

void mixByGroups(const HeadShape& shape, std::span<const TokenGroup> groups, ConstRows q, ConstRows k, ConstRows v, Rows out, nn::Scratch& scratch)
{
    for (const TokenGroup& group : groups) {
        scratch.context().throwIfStopped();
        nn::Scratch::Frame frame(scratch);
        const auto keys = static_cast<std::int64_t>(group.keys.size());
        const Rows ownKeys = frame.take(keys, k.cols), ownValues = frame.take(keys, v.cols);
        gather(k, group.keys.data(), ownKeys);
        gather(v, group.keys.data(), ownValues);
        forTiles(group, shape.causal, [&](std::size_t first, std::size_t count, std::size_t seen) {
            scratch.context().throwIfStopped();
            nn::Scratch::Frame tile(scratch);
            const auto rows = static_cast<std::int64_t>(count), end = static_cast<std::int64_t>(seen);
            const Rows queries = tile.take(rows, q.cols), p = tile.take(rows, end), mixed = tile.take(rows, v.cols);
            gather(q, group.queries.data() + first, queries);
            floatProduct(Turn::None, Turn::Transpose, shape.scale, queries, Rows{ownKeys.data, end, ownKeys.cols, ownKeys.stride}, 0, p);
            for (std::int64_t i = 0; i < rows; ++i) {
                const std::int64_t query = group.queries[first + static_cast<std::size_t>(i)];
                for (std::int64_t j = 0; shape.causal && j < end; ++j) {
                    const std::int64_t key = group.keys[static_cast<std::size_t>(j)];
                    if (key > query || (shape.slidingWindow > 0 && key <= query - shape.slidingWindow))
                        p.data[i * p.stride + j] = -std::numeric_limits<float>::infinity();
                }
                softmaxOf(p.row(i));
            }
            floatProduct(Turn::None, Turn::None, 1, p, Rows{ownValues.data, end, ownValues.cols, ownValues.stride}, 0, mixed);
            for (std::int64_t i = 0; i < rows; ++i)
                std::copy_n(mixed.data + i * mixed.stride, mixed.cols, out.data + group.queries[first + static_cast<std::size_t>(i)] * out.stride);
        });
    }
}

std::uint64_t pairsOf(std::span<const TokenGroup> groups, bool causal) noexcept
{
    std::uint64_t pairs = 0;
    for (const TokenGroup& group : groups)
        forTiles(group, causal, [&](std::size_t, std::size_t count, std::size_t seen) { pairs += count * seen; });
    return pairs;
}

std::uint64_t groupFloats(std::span<const TokenGroup> groups, bool causal, std::int64_t dim, std::int64_t width) noexcept
{
    std::size_t most = 0;
    const auto both = static_cast<std::size_t>(dim + width);
    for (const TokenGroup& group : groups) {
        std::size_t tile = 0;
        forTiles(group, causal, [&](std::size_t, std::size_t count, std::size_t seen) { tile = std::max(tile, count * (both + seen)); });
        most = std::max(most, group.keys.size() + group.queries.size() + group.keys.size() * both + tile);
    }
    return most;
}

HeadRulePtr groupedRule(std::string kind, GroupsOf groups, std::int64_t tokens) { return std::make_shared<Grouped>(std::move(kind), std::move(groups), tokens); }

Visible visibleIn(GroupsOf groups)
{
    auto known = std::make_shared<std::map<std::int64_t, std::vector<bool>>>(); // of one training, which is one thread's
    return [groups = std::move(groups), known](std::int64_t tokens, std::int64_t query, std::int64_t key) {
        const auto [place, added] = known->try_emplace(tokens);
        if (added) {
            place->second.resize(static_cast<std::size_t>(tokens * tokens));
            groups(tokens, [tokens, &seen = place->second](const TokenGroup& group) {
                for (const std::int32_t i : group.queries)
                    for (const std::int32_t j : group.keys)
                        seen[static_cast<std::size_t>(i * tokens + j)] = true;
            });
        }
        return static_cast<bool>(place->second[static_cast<std::size_t>(query * tokens + key)]);
    };
}

} // namespace tamis::attention
