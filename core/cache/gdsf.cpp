// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/gdsf.h"

#include "core/cache/object_heap.h"
#include "core/cache/standing_text.h"

#include <algorithm>
#include <cmath>
#include <tuple>

namespace tamis::cache {
namespace {
/// Least priority first; equal: the one that got it first.
struct Key {
    double priority = 0;
    std::uint64_t turn = 0;
    bool operator<(const Key& other) const noexcept { return std::tie(priority, turn) < std::tie(other.priority, other.turn); }
};

class Gdsf final : public EvictingPolicy<Gdsf> {
public:
    /// Exponents of the requests and of the cost.
    Gdsf(std::uint64_t capacity, double frequency, double cost) : EvictingPolicy(capacity), m_frequency(frequency), m_cost(cost) {}
    void know(std::size_t objects) override
    {
        m_heap.know(objects);
        if (!m_worth.empty() && objects > m_worth.size())
            m_worth.resize(objects, 1.0);
        if (objects > m_counts.size()) {
            m_counts.resize(objects);
            m_sizes.resize(objects);
        }
    }
    void prefetch(std::uint32_t object) const noexcept { m_heap.prefetch(object); }
    bool touch(const Request& request)
    {
        ++m_turn;
        if (!m_heap.contains(request.object))
            return false;
        ++m_counts[request.object];
        set(request.object);
        return true;
    }
    void evict()
    {
        m_age = m_heap.topKey().priority;
        tellEvicted(m_heap.top());
        m_bytes -= m_sizes[m_heap.pop()];
    }
    bool erase(std::uint32_t object) override
    {
        if (!m_heap.contains(object))
            return false;
        m_heap.remove(object);
        m_bytes -= m_sizes[object];
        return true;
    }
    bool canErase() const noexcept override { return true; }
    void insert(const Request& request)
    {
        m_counts[request.object] = 1;
        m_sizes[request.object] = request.size;
        m_bytes += request.size;
        if (request.cost != 1 || !m_worth.empty()) [[unlikely]] {
            m_worth.resize(m_sizes.size(), 1.0);
            m_worth[request.object] = std::pow(static_cast<double>(request.cost), m_cost);
        }
        set(request.object);
    }
    std::uint64_t occupied() const noexcept override { return m_bytes; }
    std::vector<std::uint32_t> contents() const override
    {
        std::vector<std::uint32_t> held;
        for (std::size_t i = 0; i < m_heap.size(); ++i)
            held.push_back(m_heap.at(i));
        std::ranges::sort(held, [this](std::uint32_t a, std::uint32_t b) { return m_heap.key(b) < m_heap.key(a); });
        return held;
    }
    std::size_t stateBytes() const noexcept override { return m_heap.bytesHeld() + (m_counts.capacity() + m_sizes.capacity()) * sizeof(std::uint32_t) + m_worth.capacity() * sizeof(double); }
    std::string standing(std::uint32_t object) const override
    {
        if (!m_heap.contains(object))
            return {};
        return counted(m_counts[object], "request") + " of a size of " + std::to_string(m_sizes[object]) + ", priority " + std::to_string(m_heap.key(object).priority);
    }

private:
    /// age + requests x cost / size.
    void set(std::uint32_t object)
    {
        double worth = 1e6 * static_cast<double>(m_counts[object]);
        if (m_frequency != 1) [[unlikely]]
            worth = 1e6 * std::pow(static_cast<double>(m_counts[object]), m_frequency);
        if (!m_worth.empty()) [[unlikely]]
            worth *= m_worth[object];
        m_heap.set(object, {m_age + worth / static_cast<double>(m_sizes[object]), m_turn});
    }
    double m_frequency, m_cost;
    ObjectHeap<Key> m_heap;
    std::vector<std::uint32_t> m_counts, m_sizes;
    std::vector<double> m_worth; ///< [objects] cost to its power; empty: none has a cost other than 1
    std::uint64_t m_bytes = 0, m_turn = 0;
    double m_age = 0; ///< priority of the last that left
};
} // namespace

Method gdsfMethod()
{
    Method method;
    method.declaration = {.id = "cache.gdsf", .lab = "cache", .title = "GDSF (frequency and size)", .reference = "Cherkasova 1998: age + requests x cost / size, least first; the cost is the trace's, 1 without",
                          .schema = ParameterSchema({
                              {.name = "frequency", .title = "Frequency", .type = ParameterType::Real, .defaultValue = 1.0, .minimum = 0, .maximum = 4, .help = "Exponent of the requests; 0: they do not count"},
                              {.name = "cost", .title = "Cost", .type = ParameterType::Real, .defaultValue = 1.0, .minimum = 0, .maximum = 4,
                               .help = "Exponent of what the trace's cost column holds: of recomputing, or how far an object lies from its neighbours; 0: it does not count"},
                          })};
    method.policy = [](const PolicyInputs& inputs, const Parameters& given) {
        const Parameters parameters = gdsfMethod().declaration.schema.complete(given);
        return std::make_unique<Gdsf>(inputs.capacity, parameters.real("frequency"), parameters.real("cost"));
    };
    return method;
}

} // namespace tamis::cache
