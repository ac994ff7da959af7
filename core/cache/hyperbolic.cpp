// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/hyperbolic.h"

#include "core/base/split_mix.h"
#include "core/cache/object_lists.h"
#include "core/cache/standing_text.h"

#include <algorithm>
#include <cmath>

namespace tamis::cache {
namespace {
/// Priority requests x cost / (age x size^share): its order changes while nobody asks, so that no heap can hold it.
class Hyperbolic final : public EvictingPolicy<Hyperbolic> {
public:
    /// `frequency`, `cost`: exponents.
    Hyperbolic(std::uint64_t capacity, std::size_t sample, bool bySize, double frequency, double cost, std::uint64_t seed)
        : EvictingPolicy(capacity), m_sample(sample), m_bySize(bySize), m_frequency(frequency), m_cost(cost), m_state(seed) {}
    void know(std::size_t objects) override
    {
        if (objects > m_places.size())
            m_places.resize(objects, kNoObject);
    }
    void prefetch(std::uint32_t object) const noexcept { __builtin_prefetch(&m_places[object], 1); }
    bool touch(const Request& request) noexcept
    {
        ++m_now;
        const std::uint32_t place = m_places[request.object];
        if (place == kNoObject)
            return false;
        ++m_held[place].requests;
        return true;
    }
    void evict()
    {
        std::size_t worst = 0;
        double least = 0;
        for (std::size_t i = 0; i < m_sample; ++i) {
            const auto place = static_cast<std::size_t>(nextBits(m_state) % m_held.size());
            const double priority = priorityOf(m_held[place]);
            if (i == 0 || priority < least) {
                least = priority;
                worst = place;
            }
        }
        const Held gone = m_held[worst];
        tellEvicted(gone.object);
        m_bytes -= gone.size;
        m_places[gone.object] = kNoObject;
        m_held[worst] = m_held.back();
        m_held.pop_back();
        if (worst < m_held.size())
            m_places[m_held[worst].object] = static_cast<std::uint32_t>(worst);
    }
    void insert(const Request& request)
    {
        m_bytes += request.size;
        m_places[request.object] = static_cast<std::uint32_t>(m_held.size());
        m_held.push_back({request.object, request.size, 1, m_now, request.cost == 1 ? 1.0 : std::pow(static_cast<double>(request.cost), m_cost)});
    }
    std::uint64_t occupied() const noexcept override { return m_bytes; }
    std::vector<std::uint32_t> contents() const override
    {
        std::vector<Held> sorted = m_held;
        std::ranges::stable_sort(sorted, [this](const Held& a, const Held& b) { return priorityOf(b) < priorityOf(a); });
        std::vector<std::uint32_t> held;
        for (const Held& each : sorted)
            held.push_back(each.object);
        return held;
    }
    std::size_t stateBytes() const noexcept override { return m_places.capacity() * sizeof(std::uint32_t) + m_held.capacity() * sizeof(Held); }
    std::string standing(std::uint32_t object) const override
    {
        const std::uint32_t place = m_places[object];
        if (place == kNoObject)
            return {};
        return "weight " + std::to_string(priorityOf(m_held[place])) + ": " + counted(m_held[place].requests, "request") + " in " + std::to_string(m_now - m_held[place].since + 1) + (m_bySize ? ", by its size" : "");
    }

private:
    struct Held {
        std::uint32_t object, size;
        std::uint64_t requests, since;
        double worth; ///< cost to its power
    };
    double priorityOf(const Held& held) const noexcept
    {
        const double age = static_cast<double>(m_now - held.since) + 1;
        const auto count = static_cast<double>(held.requests);
        return (m_frequency == 1 ? count : std::pow(count, m_frequency)) * held.worth / (age * (m_bySize ? static_cast<double>(held.size) : 1.0));
    }
    std::vector<Held> m_held;
    std::vector<std::uint32_t> m_places;
    std::size_t m_sample;
    bool m_bySize;
    double m_frequency, m_cost;
    std::uint64_t m_bytes = 0, m_now = 0, m_state;
};
} // namespace

Method hyperbolicMethod()
{
    Method method;
    method.declaration = {
        .id = "cache.hyperbolic",
        .lab = "cache",
        .title = "Hyperbolic",
        .reference = "Blankstein, Sen, Freedman 2017: requests x cost per time in the cache, the least of a sample leaves; the cost is the trace's, 1 without",
        .schema = ParameterSchema({
            {.name = "sample", .title = "Sample", .type = ParameterType::Integer, .defaultValue = std::int64_t{64}, .minimum = 1, .maximum = 1024, .unit = "objects", .help = "Looked at for each that leaves"},
            {.name = "by-size", .title = "By size", .type = ParameterType::Boolean, .defaultValue = false, .help = "Divide by the size: small objects stay longer"},
            {.name = "frequency", .title = "Frequency", .type = ParameterType::Real, .defaultValue = 1.0, .minimum = 0, .maximum = 4, .help = "Exponent of the requests; 0: they do not count"},
            {.name = "cost", .title = "Cost", .type = ParameterType::Real, .defaultValue = 1.0, .minimum = 0, .maximum = 4,
             .help = "Exponent of what the trace's cost column holds: of recomputing, or how far an object lies from its neighbours; 0: it does not count"},
        })};
    method.random = true;
    method.policy = [](const PolicyInputs& inputs, const Parameters& given) {
        const Parameters parameters = hyperbolicMethod().declaration.schema.complete(given);
        return std::make_unique<Hyperbolic>(inputs.capacity, static_cast<std::size_t>(parameters.integer("sample")), parameters.boolean("by-size"), parameters.real("frequency"), parameters.real("cost"), inputs.seed);
    };
    return method;
}

} // namespace tamis::cache
