// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/gdsf.h"

#include "core/cache/object_heap.h"
#include "core/cache/standing_text.h"

#include <algorithm>
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
    using EvictingPolicy::EvictingPolicy;
    void know(std::size_t objects) override
    {
        m_heap.know(objects);
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
    std::size_t stateBytes() const noexcept override { return m_heap.bytesHeld() + (m_counts.capacity() + m_sizes.capacity()) * sizeof(std::uint32_t); }
    std::string standing(std::uint32_t object) const override
    {
        if (!m_heap.contains(object))
            return {};
        return counted(m_counts[object], "request") + " of a size of " + std::to_string(m_sizes[object]) + ", priority " + std::to_string(m_heap.key(object).priority);
    }

private:
    /// age + requests / size: the cost of fetching is taken as the same for all.
    void set(std::uint32_t object)
    {
        m_heap.set(object, {m_age + 1e6 * static_cast<double>(m_counts[object]) / static_cast<double>(m_sizes[object]), m_turn});
    }
    ObjectHeap<Key> m_heap;
    std::vector<std::uint32_t> m_counts, m_sizes;
    std::uint64_t m_bytes = 0, m_turn = 0;
    double m_age = 0; ///< priority of the last that left
};
} // namespace

Method gdsfMethod()
{
    Method method;
    method.declaration = {.id = "cache.gdsf", .lab = "cache", .title = "GDSF (frequency and size)", .reference = "Cherkasova 1998: age + requests x cost / size, least first; the cost is the same for all", .schema = {}};
    method.policy = [](const PolicyInputs& inputs, const Parameters&) { return std::make_unique<Gdsf>(inputs.capacity); };
    return method;
}

} // namespace tamis::cache
