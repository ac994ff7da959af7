// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/lecar.h"

#include "core/base/split_mix.h"
#include "core/cache/object_heap.h"
#include "core/cache/standing_text.h"

#include <algorithm>
#include <cmath>
#include <tuple>

namespace tamis::cache {
namespace {
constexpr std::size_t kHeld = 1, kGoneByRecency = 2, kGoneByFrequency = 3;
constexpr double kLeastWeight = 0.01;

struct LeCaRSettings {
    double rate = 0.45, discount = 0.005, history = 1;
};

/// Least requests first; equal: the least recently requested.
struct Key {
    std::uint64_t count = 0, last = 0;
    bool operator<(const Key& other) const noexcept { return std::tie(count, last) < std::tie(other.count, other.last); }
};

class LeCaR final : public EvictingPolicy<LeCaR> {
public:
    /// `objects`: N of the paper, that the cache holds.
    LeCaR(std::uint64_t capacity, double objects, const LeCaRSettings& settings, std::uint64_t seed)
        : EvictingPolicy(capacity), m_rate(settings.rate), m_discount(std::pow(settings.discount, 1.0 / objects)),
          m_history(static_cast<std::uint64_t>(settings.history * static_cast<double>(capacity))), m_state(seed) {}
    void know(std::size_t objects) override
    {
        m_lists.know(objects);
        m_heap.know(objects);
        if (objects > m_counts.size()) {
            m_counts.resize(objects);
            m_left.resize(objects);
        }
    }
    void prefetch(std::uint32_t object) const noexcept
    {
        m_lists.prefetch(object);
        m_heap.prefetch(object);
    }
    bool touch(const Request& request)
    {
        ++m_now;
        const std::uint32_t object = request.object;
        m_count = 1;
        const std::size_t in = m_lists[object].list;
        if (in == kHeld) {
            m_lists.moveToFront(object);
            m_heap.set(object, {++m_counts[object], m_now});
            return true;
        }
        if (in != 0) {
            regret(in, m_now - m_left[object]);
            m_count = m_counts[object] + 1;
            m_lists.remove(object);
        }
        return false;
    }
    void evict()
    {
        const bool byRecency = std::ldexp(static_cast<double>(nextBits(m_state) >> 11U), -53) < m_recency;
        const std::uint32_t oldest = m_lists.back(kHeld), rarest = m_heap.top();
        const std::uint32_t object = byRecency ? oldest : rarest;
        tellEvicted(object);
        m_lists.remove(object);
        m_heap.remove(object);
        m_left[object] = m_now;
        if (oldest != rarest) // who agree are not to be blamed
            remember(byRecency ? kGoneByRecency : kGoneByFrequency, object);
    }
    void insert(const Request& request)
    {
        m_lists[request.object].size = request.size;
        m_lists.pushFront(kHeld, request.object);
        m_counts[request.object] = m_count;
        m_heap.set(request.object, {m_count, m_now});
    }
    std::uint64_t occupied() const noexcept override { return m_lists.bytes(kHeld); }
    std::vector<std::uint32_t> contents() const override
    {
        std::vector<std::uint32_t> held;
        m_lists.append(kHeld, held);
        return held;
    }
    std::size_t stateBytes() const noexcept override
    {
        return m_lists.bytesHeld() + m_heap.bytesHeld() + (m_counts.capacity() + m_left.capacity()) * sizeof(std::uint64_t);
    }
    std::string standing(std::uint32_t object) const override
    {
        if (m_lists[object].list != kHeld)
            return {};
        return counted(m_counts[object], "request") + "; recency decides with a weight of " + std::to_string(m_recency);
    }
    std::vector<PolicyFigure> figures() const override { return {{"weight of recency", m_recency}, {"weight of frequency", 1 - m_recency}}; }

private:
    void remember(std::size_t list, std::uint32_t object)
    {
        const std::uint64_t size = m_lists[object].size;
        if (size > m_history)
            return;
        while (m_lists.bytes(list) + size > m_history)
            m_lists.remove(m_lists.back(list));
        m_lists.pushFront(list, object);
    }
    /// An expert whose victim comes back loses weight, the more the sooner.
    void regret(std::size_t list, std::uint64_t age)
    {
        const double factor = std::exp(-m_rate * std::pow(m_discount, static_cast<double>(age)));
        const double recency = list == kGoneByRecency ? m_recency * factor : m_recency;
        const double frequency = list == kGoneByFrequency ? (1 - m_recency) * factor : 1 - m_recency;
        m_recency = std::clamp(recency / (recency + frequency), kLeastWeight, 1 - kLeastWeight);
    }
    double m_rate, m_discount, m_recency = 0.5;
    std::uint64_t m_history, m_state, m_now = 0, m_count = 1;
    ObjectLists m_lists{3};
    ObjectHeap<Key> m_heap;
    std::vector<std::uint64_t> m_counts, m_left; ///< [objects] requests while held or remembered; when it left
};
} // namespace

Method leCaRMethod()
{
    Method method;
    method.declaration = {
        .id = "cache.lecar",
        .lab = "cache",
        .title = "LeCaR",
        .reference = "Vietri et al. 2018: recency or frequency evicts, drawn by weights; who evicted what comes back loses weight",
        .schema = ParameterSchema({
            {.name = "learning-rate", .title = "Learning rate", .type = ParameterType::Real, .defaultValue = 0.45, .minimum = 0, .maximum = 10, .help = "What a wrong eviction costs; 0: both experts stay alike"},
            {.name = "discount", .title = "Discount", .type = ParameterType::Real, .defaultValue = 0.005, .minimum = 1e-6, .maximum = 1, .logarithmic = true,
             .help = "What an eviction counts after as many requests as the cache holds objects"},
            {.name = "history", .title = "History", .type = ParameterType::Real, .defaultValue = 1.0, .minimum = 0, .maximum = 8, .help = "Of each expert's evictions, in caches"},
        })};
    method.random = true;
    method.policy = [](const PolicyInputs& inputs, const Parameters& given) {
        const Parameters parameters = leCaRMethod().declaration.schema.complete(given);
        const double objects = std::max(1.0, static_cast<double>(inputs.capacity) / std::max(1.0, inputs.meanSize));
        return std::make_unique<LeCaR>(inputs.capacity, objects, LeCaRSettings{parameters.real("learning-rate"), parameters.real("discount"), parameters.real("history")}, inputs.seed);
    };
    return method;
}

} // namespace tamis::cache
