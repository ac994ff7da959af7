// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/routed_rows.h"

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/encoder/exact.h"
#include "core/kernels/panel_scan.h"
#include "core/kernels/score_scan.h"

#include <algorithm>

namespace tamis::encoder {
namespace {
using kernels::Scored;
using tensor::Matrix;
using tensor::MatrixView;
constexpr std::int64_t kPiecePanels = 32;        // of a group that one task scores for one token
constexpr std::int64_t kTaskElements = 1 << 18;  // weights that are worth a task: some 20 us
constexpr std::int64_t kTokensAGroup = 12;       // from so many on a group's tokens share what is read of its rows: nearly a tile of them
constexpr std::int64_t kSharedElements = 1 << 17; // of a group's rows: below that a scan of its own costs more than it saves
constexpr std::int64_t kTokensAtOnce = 1024;     // whose results are kept before they are merged

/// Panels of one group for one token.
struct Piece {
    std::int64_t token = 0;
    std::int32_t group = 0;
    std::int64_t first = 0, count = 0;
};
} // namespace

RoutedRows::RoutedRows(const Dictionary& dictionary, LatentGroups groups, const RunContext& context)
    : m_width(dictionary.width()), m_latents(dictionary.latents()), m_groups(std::move(groups))
{
    requireFinite(dictionary);
    (void)groupOfLatents(m_groups, m_latents);
    for (const auto& group : m_groups) {
        if (group.empty())
            throw Error(ErrorCode::InvalidParameter, "found a group without latents, expected at least one in each of " + std::to_string(m_groups.size()) + " groups");
        context.throwIfStopped();
        Matrix<float> rows(static_cast<std::int64_t>(group.size()), m_width);
        std::vector<float> bias;
        for (std::size_t i = 0; i < group.size(); ++i) {
            std::ranges::copy(dictionary.rows().row(group[i]), rows.view().row(static_cast<std::int64_t>(i)).begin());
            bias.push_back(dictionary.bias()[static_cast<std::size_t>(group[i])]);
        }
        m_rows.emplace_back(rows.view(), bias, kernels::ScanPrecision::Float32, RunContext(context.stopToken()));
    }
}

std::uint64_t RoutedRows::bytes() const noexcept
{
    std::uint64_t sum = static_cast<std::uint64_t>(m_latents) * sizeof(std::int32_t);
    for (const auto& rows : m_rows)
        sum += rows.bytes();
    return sum;
}

double RoutedRows::bytesPerLatent() const noexcept
{
    return static_cast<double>(bytes()) / static_cast<double>(m_latents) - sizeof(std::int32_t);
}

RoutedRows::Found RoutedRows::best(MatrixView<const float> prepared, std::span<const std::vector<std::int32_t>> chosen, std::int64_t k, const RunContext& context) const
{
    Found found;
    for (std::int64_t first = 0; first < prepared.rows; first += kTokensAtOnce) {
        const std::int64_t count = std::min(kTokensAtOnce, prepared.rows - first);
        const MatrixView<const float> some{prepared.data + first * prepared.stride, count, prepared.cols, prepared.stride};
        const auto theirs = chosen.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count));
        std::size_t pairs = 0;
        for (const auto& each : theirs)
            pairs += each.size();
        const auto groups = static_cast<std::int64_t>(m_groups.size());
        const bool shared = static_cast<std::int64_t>(pairs) >= kTokensAGroup * groups && m_latents * m_width >= kSharedElements * groups;
        Found part = shared ? groupByGroup(some, theirs, k, context) : tokenByToken(some, theirs, k, context);
        std::ranges::move(part, std::back_inserter(found));
        context.setFraction(static_cast<double>(first + count) / static_cast<double>(prepared.rows));
    }
    return found;
}

RoutedRows::Found RoutedRows::tokenByToken(MatrixView<const float> prepared, std::span<const std::vector<std::int32_t>> chosen, std::int64_t k, const RunContext& context) const
{
    std::vector<Piece> pieces;
    std::vector<std::size_t> tasks{0}; // where each begins
    std::int64_t elements = 0;
    for (std::size_t t = 0; t < chosen.size(); ++t)
        for (const std::int32_t group : chosen[t]) {
            const std::int64_t panels = m_rows[static_cast<std::size_t>(group)].panels();
            for (std::int64_t first = 0; first < panels; first += kPiecePanels) {
                const std::int64_t count = std::min(kPiecePanels, panels - first);
                if (elements >= kTaskElements) {
                    tasks.push_back(pieces.size());
                    elements = 0;
                }
                pieces.push_back({static_cast<std::int64_t>(t), group, first, count});
                elements += count * 32 * m_width;
            }
        }
    tasks.push_back(pieces.size());
    Found found(chosen.size());
    std::vector<std::vector<std::pair<std::size_t, std::vector<Scored>>>> parts(tasks.size() - 1); // by task: tokens and their best of it
    const auto run = [&](std::size_t task) {
        for (std::size_t begin = tasks[task]; begin < tasks[task + 1];) {
            const std::int64_t token = pieces[begin].token;
            kernels::TopScores best(static_cast<std::size_t>(k));
            for (; begin < tasks[task + 1] && pieces[begin].token == token; ++begin) {
                const auto group = static_cast<std::size_t>(pieces[begin].group);
                kernels::offerPanels(m_rows[group], pieces[begin].first, pieces[begin].count, prepared.row(token), m_groups[group], best, context);
            }
            parts[task].emplace_back(static_cast<std::size_t>(token), best.take());
        }
    };
    if (parts.size() == 1)
        run(0);
    else
        parallelFor(context, parts.size(), run);
    for (auto& part : parts)
        for (auto& [token, scores] : part)
            found[token].insert(found[token].end(), scores.begin(), scores.end());
    for (auto& token : found)
        kernels::keepBest(token, static_cast<std::size_t>(k));
    return found;
}

RoutedRows::Found RoutedRows::groupByGroup(MatrixView<const float> prepared, std::span<const std::vector<std::int32_t>> chosen, std::int64_t k, const RunContext& context) const
{
    std::vector<std::vector<std::int64_t>> tokens(m_groups.size());
    for (std::size_t t = 0; t < chosen.size(); ++t)
        for (const std::int32_t group : chosen[t])
            tokens[static_cast<std::size_t>(group)].push_back(static_cast<std::int64_t>(t));
    std::vector<Found> parts(m_groups.size());
    parallelFor(context, m_groups.size(), [&](std::size_t g) {
        if (tokens[g].empty())
            return;
        Matrix<float> inputs(static_cast<std::int64_t>(tokens[g].size()), m_width);
        for (std::size_t i = 0; i < tokens[g].size(); ++i)
            std::ranges::copy(prepared.row(tokens[g][i]), inputs.view().row(static_cast<std::int64_t>(i)).begin());
        parts[g] = kernels::scanTopScores(m_rows[g], inputs.view(), k, RunContext(context.stopToken()));
        for (auto& token : parts[g])
            for (Scored& each : token)
                each.row = m_groups[g][static_cast<std::size_t>(each.row)]; // ascending: the order stays
    });
    Found found(chosen.size());
    for (std::size_t g = 0; g < parts.size(); ++g)
        for (std::size_t i = 0; i < parts[g].size(); ++i) {
            auto& token = found[static_cast<std::size_t>(tokens[g][i])];
            token.insert(token.end(), parts[g][i].begin(), parts[g][i].end());
        }
    for (auto& token : found)
        kernels::keepBest(token, static_cast<std::size_t>(k));
    return found;
}

} // namespace tamis::encoder
