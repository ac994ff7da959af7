// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/lru_k.h"

#include "core/cache/heap_policy.h"
#include "core/cache/standing_text.h"

#include <deque>

namespace tamis::cache {
namespace {
struct LruKSettings {
    std::size_t k = 2;
    std::uint64_t correlated = 0; ///< requests
    std::uint64_t retained = 0;   ///< requests after which what is not held is forgotten; 0: never
};

/// What is within its correlated period is held, but waits outside the heap.
class LruK final : public HeapPolicy<LruK, KthRequest> {
public:
    LruK(std::uint64_t capacity, const LruKSettings& settings) : HeapPolicy(capacity), m_settings(settings) {}
    void know(std::size_t objects) override
    {
        HeapPolicy::know(objects);
        if (objects > m_latest.size()) {
            m_latest.resize(objects);
            m_held.resize(objects);
            m_times.resize(objects * m_settings.k);
        }
    }
    void prefetch(std::uint32_t object) const noexcept
    {
        HeapPolicy::prefetch(object);
        __builtin_prefetch(&m_times[object * m_settings.k], 1);
    }
    bool touch(const Request& request)
    {
        ++m_now;
        settle();
        const bool held = m_held[request.object] != 0;
        note(request.object, held);
        if (held)
            place(request.object);
        return held;
    }
    /// Objects within their correlated period are passed over, unless all are: then the one whose last request is the oldest leaves.
    void evict()
    {
        if (!heap().empty()) {
            const std::uint32_t object = heap().top();
            HeapPolicy::evict();
            m_held[object] = 0;
            return;
        }
        while (!isYoung(m_young.front()))
            m_young.pop_front();
        const std::uint32_t object = m_young.front().object;
        tellEvicted(object);
        m_young.pop_front();
        m_held[object] = 0;
        giveUp(object);
    }
    /// Its times are kept, as of what is evicted.
    bool erase(std::uint32_t object) override
    {
        if (m_held[object] == 0)
            return false;
        m_held[object] = 0;
        if (!HeapPolicy::erase(object))
            giveUp(object);
        return true;
    }
    void insert(const Request& request)
    {
        takeIn(request);
        m_held[request.object] = 1;
        place(request.object);
    }
    std::vector<std::uint32_t> contents() const override
    {
        std::vector<std::uint32_t> held = HeapPolicy::contents(), young;
        for (const Recent& recent : m_young)
            if (isYoung(recent))
                young.push_back(recent.object);
        held.insert(held.begin(), young.rbegin(), young.rend());
        return held;
    }
    std::size_t stateBytes() const noexcept override
    {
        return HeapPolicy::stateBytes() + m_held.capacity() + m_young.size() * sizeof(Recent) +
               (m_latest.capacity() + m_times.capacity()) * sizeof(std::uint64_t);
    }
    std::string standing(std::uint32_t object) const override
    {
        const std::uint64_t kth = m_times[object * m_settings.k + m_settings.k - 1];
        if (kth == 0)
            return "fewer than " + counted(m_settings.k, "request") + " known";
        return ordinal(m_settings.k) + " last request " + counted(m_now - kth, "request") + " ago" + (m_settings.correlated > 0 && !heap().contains(object) ? ", within its correlated period" : "");
    }

private:
    struct Recent {
        std::uint32_t object;
        std::uint64_t time;
    };
    /// Held, and not requested since.
    bool isYoung(const Recent& recent) const noexcept { return m_held[recent.object] != 0 && m_latest[recent.object] == recent.time; }
    void place(std::uint32_t object)
    {
        if (m_settings.correlated == 0) {
            heap().set(object, keyOf(object));
            return;
        }
        if (heap().contains(object))
            heap().remove(object);
        m_young.push_back({object, m_now});
    }
    void settle()
    {
        for (; !m_young.empty() && m_now - m_young.front().time > m_settings.correlated; m_young.pop_front())
            if (isYoung(m_young.front()))
                heap().set(m_young.front().object, keyOf(m_young.front().object));
    }
    std::uint64_t* times(std::uint32_t object) noexcept { return m_times.data() + object * m_settings.k; }
    KthRequest keyOf(std::uint32_t object) noexcept { return {times(object)[m_settings.k - 1], times(object)[0]}; }
    /// HIST(p, 1 .. K) and LAST(p) of the paper: a request within the correlated period moves LAST alone; the end of a period shifts the older
    /// times by its length.
    void note(std::uint32_t object, bool held)
    {
        std::uint64_t* time = times(object);
        const std::uint64_t last = m_latest[object];
        if (!held && m_settings.retained > 0 && m_now - last > m_settings.retained)
            std::fill_n(time, m_settings.k, 0);
        if (last > 0 && time[0] > 0 && held && m_settings.correlated > 0 && m_now - last <= m_settings.correlated) {
            m_latest[object] = m_now;
            return;
        }
        const std::uint64_t period = time[0] > 0 && held ? last - time[0] : 0;
        for (std::size_t i = m_settings.k - 1; i > 0; --i)
            time[i] = time[i - 1] > 0 ? time[i - 1] + period : 0;
        time[0] = m_latest[object] = m_now;
    }
    LruKSettings m_settings;
    std::vector<std::uint8_t> m_held;
    std::deque<Recent> m_young; ///< requests within the correlated period, oldest first; empty without one
    std::vector<std::uint64_t> m_latest, m_times; ///< [objects], [objects, k] newest first; requests counted from 1, 0: none
    std::uint64_t m_now = 0;
};
} // namespace

Method lruKMethod()
{
    Method method;
    method.declaration = {
        .id = "cache.lru-k",
        .lab = "cache",
        .title = "LRU-K",
        .reference = "O'Neil, O'Neil, Weikum 1993: the oldest K-th last request leaves, those with fewer requests before it",
        .schema = ParameterSchema({
            {.name = "k", .title = "K", .type = ParameterType::Integer, .defaultValue = std::int64_t{2}, .minimum = 1, .maximum = 16, .unit = "requests", .help = "1 is least recently used"},
            {.name = "correlated", .title = "Correlated period", .type = ParameterType::Integer, .defaultValue = std::int64_t{0}, .minimum = 0, .maximum = 1e9, .logarithmic = true, .unit = "requests",
             .help = "Requests so soon after one another count as one; 0: none do"},
            {.name = "retained", .title = "Retained history", .type = ParameterType::Integer, .defaultValue = std::int64_t{0}, .minimum = 0, .maximum = 1e12, .logarithmic = true, .unit = "requests",
             .help = "Times of what was evicted are forgotten after so many; 0: never"},
        })};
    method.policy = [](const PolicyInputs& inputs, const Parameters& given) {
        const Parameters parameters = lruKMethod().declaration.schema.complete(given);
        return std::make_unique<LruK>(inputs.capacity, LruKSettings{static_cast<std::size_t>(parameters.integer("k")), static_cast<std::uint64_t>(parameters.integer("correlated")),
                                                                     static_cast<std::uint64_t>(parameters.integer("retained"))});
    };
    return method;
}

} // namespace tamis::cache
