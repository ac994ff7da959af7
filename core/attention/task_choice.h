// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What some queries behind one another read of the blocks of keys, so that they can be answered together. Private to the lab.
#include "core/attention/block_selector.h"

#include <cstdint>
#include <span>
#include <vector>

namespace tamis::attention {

/// Tokens behind one another, of those that a task reads.
struct Run {
    std::int64_t begin = 0, count = 0;
};

/// Tokens behind one another, of the sequence from `token` on.
struct Stretch {
    std::int64_t token = 0, count = 0;
};

struct TaskChoice {
    std::int64_t first = 0, queries = 0;      ///< of the task
    std::vector<std::int64_t> chosen;         ///< blocks, query after query, ascending
    std::vector<std::size_t> ends;            ///< of each query in `chosen`
    std::vector<std::int64_t> united, places; ///< blocks that any query reads, ascending; where each block is among them, or -1
    std::vector<Run> runs;                    ///< of the united tokens: what each query reads, query after query, neighbours in one
    std::vector<std::size_t> runEnds;         ///< of each query in `runs`
    std::vector<Stretch> stretches;           ///< the united tokens in the sequence, neighbours in one
    std::int64_t tokens = 0;                  ///< of the united
    std::int64_t read = 0;                    ///< by all queries, each its own
    std::span<const std::int64_t> chosenBy(std::int64_t query) const noexcept
    {
        const auto i = static_cast<std::size_t>(query - first), begin = i > 0 ? ends[i - 1] : 0;
        return {chosen.data() + begin, ends[i] - begin};
    }
    std::span<const Run> runsOf(std::int64_t query) const noexcept
    {
        const auto i = static_cast<std::size_t>(query - first), begin = i > 0 ? runEnds[i - 1] : 0;
        return {runs.data() + begin, runEnds[i] - begin};
    }
    /// The united are the first tokens of the sequence.
    bool leading() const noexcept { return united.size() == places.size(); }
};

/// Cuts the queries of a sample into tasks and finds what each reads. Whatever is asked of an operator, the same tasks: a product gives the same sums only in the same shape.
class TaskChooser {
public:
    static constexpr std::int64_t kQueries = 16; ///< of a task
    TaskChooser(const nn::AttentionSpec& spec, const BlockSelector& selector);
    static std::int64_t tasks(std::int64_t tokens) noexcept { return (tokens + kQueries - 1) / kQueries; }
    std::int64_t blockTokens() const noexcept { return m_size; }
    bool together() const noexcept { return m_together; } ///< all heads read the same
    std::int64_t seenBy(std::int64_t query, std::int64_t tokens) const noexcept { return m_causal ? query + 1 : tokens; }
    std::int64_t blocksOf(std::int64_t seen) const noexcept { return (seen + m_size - 1) / m_size; }
    std::int64_t tokensOf(std::int64_t block, std::int64_t seen) const noexcept { return seen - block * m_size < m_size ? seen - block * m_size : m_size; }
    /// Of task `task` of a sample of `tokens`, for query head `head`.
    void choose(const BlockScorer& scorer, std::int64_t tokens, std::int64_t task, std::int64_t head, TaskChoice& choice) const;

private:
    void findRuns(std::int64_t tokens, TaskChoice& choice) const;
    std::int64_t m_size, m_most;
    bool m_causal, m_together;
};

} // namespace tamis::attention
