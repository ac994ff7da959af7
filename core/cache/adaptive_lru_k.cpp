// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/adaptive_lru_k.h"

#include "core/base/split_mix.h"
#include "core/cache/heap_policy.h"
#include "core/cache/lru_k.h"
#include "core/cache/standing_text.h"

#include <algorithm>
#include <cmath>

namespace tamis::cache {
namespace {
constexpr double kLeastObjects = 64; ///< that the small caches hold, where the large one does

struct AdaptiveSettings {
    std::size_t most = 5;       ///< K tried
    double margin = 0.005;      ///< of the hit ratio, that another K must gain
    std::uint64_t window = 1000; ///< requests between looks
};

/// Small caches of LRU-1 .. LRU-Kmax on a sample of the objects, chosen by their numbers' hash.
class Trials {
public:
    Trials(std::uint64_t capacity, double rate, std::size_t most) : m_limit(std::ldexp(std::min(rate, 1.0), 53)), m_hits(most, 0)
    {
        const auto size = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::llround(static_cast<double>(capacity) * std::min(rate, 1.0))));
        for (std::size_t k = 1; k <= most; ++k) {
            Parameters parameters;
            parameters.set("k", static_cast<std::int64_t>(k));
            m_caches.push_back(lruKMethod().policy({size}, parameters));
        }
    }
    void know(std::size_t objects)
    {
        for (std::size_t object = m_numbers.size(); object < objects; ++object)
            m_numbers.push_back(static_cast<double>(mixedBits(object + kSplitMixStep) >> 11U) < m_limit ? m_sampled++ : kNever);
        for (const PolicyPtr& cache : m_caches)
            cache->know(m_sampled);
    }
    void request(const Request& request)
    {
        const std::uint32_t number = m_numbers[request.object];
        if (number == kNever)
            return;
        ++m_requests;
        for (std::size_t i = 0; i < m_caches.size(); ++i)
            m_hits[i] += m_caches[i]->request({number, request.size}) ? 1U : 0U;
    }
    /// K with the most hits since the last call, if it gained more than `margin` of the sampled requests over `current`; older hits count half.
    std::size_t best(std::size_t current, double margin)
    {
        const auto most = static_cast<std::size_t>(std::ranges::max_element(m_hits) - m_hits.begin()) + 1; // the first of equals: the smaller K
        const double gain = static_cast<double>(m_hits[most - 1]) - static_cast<double>(m_hits[current - 1]);
        const std::size_t chosen = m_requests > 0 && gain > margin * static_cast<double>(m_requests) ? most : current;
        for (std::uint64_t& hits : m_hits)
            hits /= 2;
        m_requests /= 2;
        return chosen;
    }
    std::size_t bytesHeld() const noexcept
    {
        std::size_t bytes = m_numbers.capacity() * sizeof(std::uint32_t);
        for (const PolicyPtr& cache : m_caches)
            bytes += cache->stateBytes();
        return bytes;
    }

private:
    double m_limit;
    std::vector<std::uint64_t> m_hits;
    std::uint64_t m_requests = 0;
    std::vector<PolicyPtr> m_caches;
    std::vector<std::uint32_t> m_numbers; ///< [objects] in the sample, or kNever
    std::uint32_t m_sampled = 0;
};

class AdaptiveLruK final : public HeapPolicy<AdaptiveLruK, KthRequest> {
public:
    AdaptiveLruK(std::uint64_t capacity, double rate, const AdaptiveSettings& settings)
        : HeapPolicy(capacity), m_settings(settings), m_trials(capacity, rate, settings.most), m_k(std::min<std::size_t>(2, settings.most)) {}
    void know(std::size_t objects) override
    {
        HeapPolicy::know(objects);
        m_trials.know(objects);
        if (objects * m_settings.most > m_times.size())
            m_times.resize(objects * m_settings.most);
    }
    void prefetch(std::uint32_t object) const noexcept
    {
        HeapPolicy::prefetch(object);
        __builtin_prefetch(&m_times[object * m_settings.most], 1);
    }
    bool touch(const Request& request)
    {
        m_trials.request(request);
        if (++m_now % m_settings.window == 0)
            choose();
        std::uint64_t* times = m_times.data() + request.object * m_settings.most;
        std::shift_right(times, times + m_settings.most, 1);
        times[0] = m_now;
        if (!heap().contains(request.object))
            return false;
        heap().set(request.object, keyOf(request.object));
        return true;
    }
    void insert(const Request& request) { enter(request, keyOf(request.object)); }
    std::size_t stateBytes() const noexcept override { return HeapPolicy::stateBytes() + m_times.capacity() * sizeof(std::uint64_t) + m_trials.bytesHeld(); }
    std::string standing(std::uint32_t object) const override
    {
        if (!heap().contains(object))
            return {};
        const std::uint64_t kth = heap().key(object).kth;
        return kth == 0 ? "fewer than " + counted(m_k, "request") + " known" : "request " + std::to_string(m_k) + " from the last " + counted(m_now - kth, "request") + " ago";
    }
    std::vector<PolicyFigure> figures() const override { return {{"K", static_cast<double>(m_k)}, {"changes of K", static_cast<double>(m_changes)}}; }

private:
    KthRequest keyOf(std::uint32_t object) const noexcept { return {m_times[object * m_settings.most + m_k - 1], m_times[object * m_settings.most]}; }
    void choose()
    {
        const std::size_t k = m_trials.best(m_k, m_settings.margin);
        if (k == m_k)
            return;
        m_k = k;
        ++m_changes;
        heap().setAll([this](std::uint32_t object) { return keyOf(object); });
    }
    AdaptiveSettings m_settings;
    Trials m_trials;
    std::size_t m_k;
    std::vector<std::uint64_t> m_times; ///< [objects, most] newest first; requests counted from 1, 0: none
    std::uint64_t m_now = 0, m_changes = 0;
};
} // namespace

Method adaptiveLruKMethod()
{
    Method method;
    method.declaration = {
        .id = "cache.adaptive-lru-k",
        .lab = "cache",
        .title = "LRU-K, K chosen while running",
        .reference = "O'Neil, O'Neil, Weikum 1993, K by the hits of small caches of every K on a sample of the objects (mini-simulation, Waldspurger et al. 2017)",
        .schema = ParameterSchema({
            {.name = "most-k", .title = "Largest K", .type = ParameterType::Integer, .defaultValue = std::int64_t{5}, .minimum = 1, .maximum = 16, .unit = "requests", .help = "1 to this are tried"},
            {.name = "trial-share", .title = "Sample", .type = ParameterType::Real, .defaultValue = 0.05, .minimum = 0.001, .maximum = 1, .logarithmic = true, .help = "Of the objects, that the trials see; more where their caches would hold fewer than 64"},
            {.name = "margin", .title = "Margin", .type = ParameterType::Real, .defaultValue = 0.005, .minimum = 0, .maximum = 1, .help = "Gain in hit ratio for which K changes"},
            {.name = "window", .title = "Window", .type = ParameterType::Integer, .defaultValue = std::int64_t{0}, .minimum = 0, .maximum = 1e9, .logarithmic = true, .unit = "requests", .help = "Between looks at the trials; 0: five times what the cache holds, 1000 at least"},
        })};
    method.policy = [](const PolicyInputs& inputs, const Parameters& given) {
        const Parameters parameters = adaptiveLruKMethod().declaration.schema.complete(given);
        const double objects = std::max(1.0, static_cast<double>(inputs.capacity) / std::max(1.0, inputs.meanSize));
        const auto usual = static_cast<std::uint64_t>(std::max(1000.0, 5 * objects));
        const auto window = static_cast<std::uint64_t>(parameters.integer("window"));
        return std::make_unique<AdaptiveLruK>(inputs.capacity, std::max(parameters.real("trial-share"), kLeastObjects / objects),
                                              AdaptiveSettings{static_cast<std::size_t>(parameters.integer("most-k")), parameters.real("margin"), window > 0 ? window : usual});
    };
    return method;
}

} // namespace tamis::cache
