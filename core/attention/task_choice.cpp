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
    findRuns(tokens, choice);
}

/// Blocks before the last are full: what lies before a block among the united tokens is as many times a block.
void TaskChooser::findRuns(std::int64_t tokens, TaskChoice& choice) const
{
    const std::int64_t last = seenBy(choice.first + choice.queries - 1, tokens);
    choice.runs.clear();
    choice.runEnds.clear();
    choice.stretches.clear();
    for (std::int64_t query = choice.first; query < choice.first + choice.queries; ++query) {
        const std::int64_t seen = seenBy(query, tokens);
        Run run;
        for (const std::int64_t block : choice.chosenBy(query)) {
            const std::int64_t begin = choice.places[static_cast<std::size_t>(block)] * m_size, count = tokensOf(block, seen);
            if (run.begin + run.count == begin) {
                run.count += count;
                continue;
            }
            if (run.count > 0)
                choice.runs.push_back(run);
            run = {begin, count};
        }
        choice.runs.push_back(run);
        choice.runEnds.push_back(choice.runs.size());
    }
    for (const std::int64_t block : choice.united) {
        const std::int64_t token = block * m_size, count = tokensOf(block, last);
        if (!choice.stretches.empty() && choice.stretches.back().token + choice.stretches.back().count == token)
            choice.stretches.back().count += count;
        else
            choice.stretches.push_back({token, count});
    }
}

} // namespace tamis::attention
