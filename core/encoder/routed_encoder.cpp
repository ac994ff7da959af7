// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/routed_encoder.h"

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/encoder/exact.h"
#include "core/encoder/scored_codes.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace tamis::encoder {
namespace {
using tensor::MatrixView;
constexpr std::int64_t kTokensATask = 16;

/// each(token) for all rows, some tokens a task; one task runs here.
template <class Each> void forTokens(const RunContext& context, std::int64_t tokens, const Each& each)
{
    const auto some = [&](std::size_t task) {
        for (std::int64_t t = static_cast<std::int64_t>(task) * kTokensATask; t < std::min(tokens, (static_cast<std::int64_t>(task) + 1) * kTokensATask); ++t)
            each(t);
    };
    if (tokens <= kTokensATask)
        some(0);
    else
        parallelFor(context, static_cast<std::size_t>((tokens + kTokensATask - 1) / kTokensATask), some);
    context.throwIfStopped();
}

std::vector<std::vector<std::int32_t>> routesOf(const Router& router, MatrixView<const float> prepared, const RunContext& context)
{
    std::vector<std::vector<std::int32_t>> chosen(static_cast<std::size_t>(prepared.rows));
    forTokens(context, prepared.rows, [&](std::int64_t t) { router.route(prepared.row(t), chosen[static_cast<std::size_t>(t)]); });
    return chosen;
}

template <class... Values> std::string text(const char* format, Values... values)
{
    char buffer[160];
    std::snprintf(buffer, sizeof buffer, format, values...);
    return buffer;
}
} // namespace

RoutedEncoder::RoutedEncoder(const std::shared_ptr<const Dictionary>& dictionary, std::shared_ptr<const Router> router, LatentGroups groups, const RunContext& context)
    : m_latents(dictionary->latents()), m_k(dictionary->k()), m_router(std::move(router)), m_rows(*dictionary, std::move(groups), context)
{
    if (m_router->width() != dictionary->width() || m_router->groups() != static_cast<std::int64_t>(m_rows.groups().size()))
        throw Error(ErrorCode::InvalidParameter, "found a router of " + std::to_string(m_router->width()) + " features and " + std::to_string(m_router->groups()) + " groups, expected " +
                                                     std::to_string(dictionary->width()) + " features and " + std::to_string(m_rows.groups().size()) + " groups");
}

EncoderCost RoutedEncoder::cost() const noexcept
{
    const double rows = m_router->meanGroups() * static_cast<double>(m_latents) / static_cast<double>(m_rows.groups().size());
    return {.parameters = static_cast<std::uint64_t>(m_latents) * static_cast<std::uint64_t>(width() + 1) + m_router->parameters(),
            .bytes = m_rows.bytes() + 4 * m_router->parameters(),
            .macs = m_router->macs() + rows * static_cast<double>(width()),
            .bytesRead = m_router->macs() / static_cast<double>(width()) * static_cast<double>(4 * (width() + 1)) + rows * m_rows.bytesPerLatent()};
}

std::vector<std::vector<std::int32_t>> RoutedEncoder::routes(MatrixView<const float> prepared, const RunContext& context) const
{
    requireWidth(*this, prepared);
    return routesOf(*m_router, prepared, context);
}

SparseCodes RoutedEncoder::encode(MatrixView<const float> prepared, const RunContext& context, EncodeTrace* trace) const
{
    const auto chosen = routes(prepared, context);
    if (trace) {
        *trace = {.wantsRanking = trace->wantsRanking};
        std::size_t scored = 0;
        for (const auto& token : chosen) {
            auto* ranking = trace->wantsRanking ? &trace->ranking.emplace_back() : nullptr;
            for (const std::int32_t group : token) {
                const auto& latentsOf = groups()[static_cast<std::size_t>(group)];
                scored += latentsOf.size();
                if (ranking)
                    ranking->insert(ranking->end(), latentsOf.begin(), latentsOf.end());
            }
        }
        trace->rowsScored = chosen.empty() ? 0 : static_cast<double>(scored) / static_cast<double>(chosen.size());
    }
    const auto found = m_rows.best(prepared, chosen, m_k, context);
    context.finish();
    return codesOf(found);
}

RoutingStatistics routingStatistics(const Router& router, MatrixView<const float> prepared, const RunContext& context)
{
    if (prepared.rows < 1 || prepared.cols != router.width())
        throw Error(ErrorCode::InvalidParameter, "found rows of shape [" + std::to_string(prepared.rows) + ", " + std::to_string(prepared.cols) + "], expected at least one row of " +
                                                     std::to_string(router.width()) + " features");
    const auto chosen = routesOf(router, prepared, context);
    std::vector<double> entropies(chosen.size());
    forTokens(context, prepared.rows, [&](std::int64_t t) {
        std::vector<double> shares(static_cast<std::size_t>(router.groups()));
        router.shares(prepared.row(t), shares);
        for (const double share : shares)
            entropies[static_cast<std::size_t>(t)] -= share > 0 ? share * std::log(share) : 0;
    });
    RoutingStatistics statistics;
    statistics.load.resize(static_cast<std::size_t>(router.groups()));
    const auto tokens = static_cast<double>(chosen.size());
    for (std::size_t t = 0; t < chosen.size(); ++t) {
        statistics.meanGroups += static_cast<double>(chosen[t].size()) / tokens;
        statistics.none += chosen[t].empty() ? 1 : 0;
        statistics.entropy += chosen[t].empty() ? 0 : entropies[t];
        for (const std::int32_t group : chosen[t])
            statistics.load[static_cast<std::size_t>(group)] += 1 / tokens;
    }
    if (statistics.none < prepared.rows) {
        statistics.entropy /= tokens - static_cast<double>(statistics.none);
        statistics.balance = *std::ranges::max_element(statistics.load) / (statistics.meanGroups / static_cast<double>(router.groups()));
    }
    return statistics;
}

std::string sentenceOf(const RoutingStatistics& statistics, const std::string& groupName)
{
    const auto groups = static_cast<double>(statistics.load.size());
    std::string sentence = text("Routing on the calibration rows: %.2f of %zu %s a token, entropy %.2f of %.2f nats, the busiest has %.2f times the mean load",
                                statistics.meanGroups, statistics.load.size(), groupName.c_str(), statistics.entropy, std::log(groups), statistics.balance);
    if (statistics.none > 0)
        sentence += text("; %lld tokens have none", static_cast<long long>(statistics.none));
    return sentence + ".";
}

LatentGroups groupsFrom(const TrainedTensor& groupOf, std::int64_t groups)
{
    LatentGroups result(static_cast<std::size_t>(groups));
    for (std::size_t i = 0; i < groupOf.integers.size(); ++i) {
        const std::int32_t group = groupOf.integers[i];
        if (group < 0 || group >= groups)
            throw Error(ErrorCode::MalformedFile, "latent " + std::to_string(i) + " is in group " + std::to_string(group) + ", expected 0 to " + std::to_string(groups - 1), groupOf.name);
        result[static_cast<std::size_t>(group)].push_back(static_cast<std::int32_t>(i));
    }
    for (std::size_t g = 0; g < result.size(); ++g)
        if (result[g].empty())
            throw Error(ErrorCode::MalformedFile, "group " + std::to_string(g) + " has no latent, expected at least one in each of " + std::to_string(groups), groupOf.name);
    return result;
}

} // namespace tamis::encoder
