// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/gdsf.h"

#include "core/cache/heap_policy.h"
#include "core/cache/request_worth.h"
#include "core/cache/standing_text.h"

namespace tamis::cache {
namespace {
/// Least priority first; equal: the one that got it first.
struct Key {
    double priority = 0;
    std::uint64_t turn = 0;
    bool operator<(const Key& other) const noexcept { return std::tie(priority, turn) < std::tie(other.priority, other.turn); }
};

class Gdsf final : public HeapPolicy<Gdsf, Key> {
public:
    Gdsf(std::uint64_t capacity, const RequestWorth& worth) : HeapPolicy(capacity), m_worth(worth) {}
    void know(std::size_t objects) override
    {
        HeapPolicy::know(objects);
        if (!m_weights.empty() && objects > m_weights.size())
            m_weights.resize(objects, 1.0);
        if (objects > m_counts.size())
            m_counts.resize(objects);
    }
    bool touch(const Request& request)
    {
        ++m_turn;
        if (!heap().contains(request.object))
            return false;
        ++m_counts[request.object];
        heap().set(request.object, keyOf(request.object));
        return true;
    }
    void leaves(const Key& key) noexcept { m_age = key.priority; }
    void insert(const Request& request)
    {
        m_counts[request.object] = 1;
        takeIn(request);
        if (request.cost != 1 || request.uniqueness != 1 || !m_weights.empty()) [[unlikely]] {
            m_weights.resize(m_counts.size(), 1.0);
            m_weights[request.object] = m_worth.ofObject(request);
        }
        heap().set(request.object, keyOf(request.object));
    }
    std::size_t stateBytes() const noexcept override { return HeapPolicy::stateBytes() + m_counts.capacity() * sizeof(std::uint32_t) + m_weights.capacity() * sizeof(double); }
    std::string standing(std::uint32_t object) const override
    {
        if (!heap().contains(object))
            return {};
        return counted(m_counts[object], "request") + " of a size of " + std::to_string(sizeOf(object)) + ", priority " + std::to_string(heap().key(object).priority);
    }

private:
    /// age + requests x cost x uniqueness / size.
    Key keyOf(std::uint32_t object) const noexcept
    {
        double worth = 1e6 * m_worth.ofRequests(static_cast<double>(m_counts[object]));
        if (!m_weights.empty()) [[unlikely]]
            worth *= m_weights[object];
        return {m_age + worth / static_cast<double>(sizeOf(object)), m_turn};
    }
    RequestWorth m_worth;
    std::vector<std::uint32_t> m_counts;
    std::vector<double> m_weights; ///< [objects] cost and uniqueness to their powers; empty: none has another than 1
    std::uint64_t m_turn = 0;
    double m_age = 0; ///< priority of the last that left
};
} // namespace

Method gdsfMethod()
{
    Method method;
    method.declaration = {.id = "cache.gdsf", .lab = "cache", .title = "GDSF (frequency and size)",
                          .reference = "Cherkasova 1998: age + requests x cost / size, least first; cost and uniqueness, its factor, are the trace's, 1 without", .schema = ParameterSchema(RequestWorth::specs())};
    method.policy = [](const PolicyInputs& inputs, const Parameters& given) {
        return std::make_unique<Gdsf>(inputs.capacity, RequestWorth::from(gdsfMethod().declaration.schema.complete(given)));
    };
    return method;
}

} // namespace tamis::cache
