// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The k largest of many scores, met one after the other.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <mutex>
#include <vector>

namespace tamis::kernels {

struct Scored {
    float value = 0;
    std::int32_t row = 0;
    bool operator==(const Scored&) const = default;
};

/// The order of results: larger values first, among equal ones the lower row.
inline bool before(Scored a, Scored b) noexcept
{
    return a.value != b.value ? a.value > b.value : a.row < b.row;
}

class TopScores {
public:
    /// Keeps the `size` >= 1 best of those above `floor`.
    explicit TopScores(std::size_t size, float floor = 0) : m_size(size), m_floor(floor) {}

    /// A score of a later row than all before it can only enter if it is greater than this.
    float threshold() const noexcept { return full() ? std::max(m_floor, m_heap.front().value) : m_floor; }
    bool full() const noexcept { return m_heap.size() == m_size; }
    /// The k-th best so far: no smaller score is among the k best of all. Minus infinity before there are k.
    float bound() const noexcept { return full() ? m_heap.front().value : -std::numeric_limits<float>::infinity(); }
    /// Scores equal to `bound` of other rows may still enter, smaller ones not.
    void raiseFloor(float floor) noexcept { m_floor = std::max(m_floor, floor); }

    void offer(Scored each)
    {
        if (!(each.value > m_floor))
            return;
        if (!full()) {
            m_heap.push_back(each);
            std::push_heap(m_heap.begin(), m_heap.end(), before);
        } else if (before(each, m_heap.front())) {
            std::pop_heap(m_heap.begin(), m_heap.end(), before);
            m_heap.back() = each;
            std::push_heap(m_heap.begin(), m_heap.end(), before);
        }
    }
    /// In no particular order.
    const std::vector<Scored>& found() const noexcept { return m_heap; }
    std::vector<Scored> take() { return std::move(m_heap); } ///< leaves nothing behind

private:
    std::size_t m_size;
    float m_floor;
    std::vector<Scored> m_heap; ///< the worst in front
};

/// The k largest that several threads meet, each with TopScores of its own for the rows it scans. What a thread knows of the others' scores
/// changes what it compares, not what is found. Thread-safe.
class SharedTopScores {
public:
    explicit SharedTopScores(std::size_t size) : m_best(size) {}

    /// No more than the k-th best of all: smaller scores are nothing. 0 before there are k.
    float bound() const noexcept { return m_bound.load(std::memory_order_relaxed); }
    /// A score of any row must be greater than this to count: just below bound(), for an equal score may have the lower row.
    float floor() const noexcept { return m_floor.load(std::memory_order_relaxed); }
    void merge(const TopScores& part)
    {
        const std::lock_guard lock(m_mutex);
        for (const Scored each : part.found())
            m_best.offer(each);
        if (m_best.full()) {
            m_bound.store(m_best.bound(), std::memory_order_relaxed);
            m_floor.store(std::nextafter(m_best.bound(), 0.0F), std::memory_order_relaxed);
        }
    }
    /// Once all threads have merged.
    std::vector<Scored> take() { return m_best.take(); }

private:
    std::mutex m_mutex;
    TopScores m_best;
    std::atomic<float> m_bound = 0, m_floor = 0;
};

/// The `size` best of `all`, in order.
inline void keepBest(std::vector<Scored>& all, std::size_t size)
{
    if (all.size() > size) {
        std::nth_element(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(size), all.end(), before);
        all.resize(size);
    }
    std::sort(all.begin(), all.end(), before);
}

} // namespace tamis::kernels
