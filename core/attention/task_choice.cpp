// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/task_choice.h"

#include "core/attention/block_choice.h"

#include <algorithm>

namespace tamis::attention {

TaskChooser::TaskChooser(const nn::AttentionSpec& spec, const BlockSelector& selector)
    : m_size(selector.blockTokens()), m_most(selector.most()), m_causal(spec.causal), m_together(selector.together())
{
}

void TaskChooser::choose(const BlockScorer& scorer, std::int64_t tokens, std::int64_t task, std::int64_t head, TaskChoice& choice) const
{
    thread_local std::vector<float> ranks;
    thread_local std::vector<std::int64_t> own;
    choice.first = task * kQueries;
    choice.queries = std::min(kQueries, tokens - choice.first);
    const std::int64_t last = seenBy(choice.first + choice.queries - 1, tokens), blocks = blocksOf(last);
    ranks.resize(static_cast<std::size_t>(choice.queries * blocks));
    if (blocks > m_most)
        scorer.rank(choice.first, m_together ? 0 : head, {ranks.data(), choice.queries, blocks, blocks});
    choice.chosen.clear();
    choice.ends.clear();
    choice.places.assign(static_cast<std::size_t>(blocks), -1);
    choice.read = 0;
    for (std::int64_t i = 0; i < choice.queries; ++i) {
        const std::int64_t query = choice.first + i, seen = seenBy(query, tokens);
        chooseBlocks({ranks.data() + i * blocks, static_cast<std::size_t>(blocksOf(seen))}, query / m_size, m_causal, {0, 1}, m_most, own);
        for (const std::int64_t block : own) {
            choice.places[static_cast<std::size_t>(block)] = 0;
            choice.read += tokensOf(block, seen);
        }
        choice.chosen.insert(choice.chosen.end(), own.begin(), own.end());
        choice.ends.push_back(choice.chosen.size());
    }
    choice.united.clear();
    choice.tokens = 0;
    for (std::int64_t block = 0; block < blocks; ++block)
        if (std::int64_t& place = choice.places[static_cast<std::size_t>(block)]; place == 0) {
            place = static_cast<std::int64_t>(choice.united.size());
            choice.united.push_back(block);
            choice.tokens += tokensOf(block, last);
        }
}

void TaskChooser::runsOf(const TaskChoice& choice, std::int64_t query, std::int64_t seen, std::vector<Run>& runs) const
{
    runs.clear();
    for (const std::int64_t block : choice.chosenBy(query)) {
        const std::int64_t begin = choice.places[static_cast<std::size_t>(block)] * m_size, count = tokensOf(block, seen); // blocks before the last are full
        if (!runs.empty() && runs.back().begin + runs.back().count == begin)
            runs.back().count += count;
        else
            runs.push_back({begin, count});
    }
}

} // namespace tamis::attention
