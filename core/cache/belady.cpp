// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/belady.h"

#include "core/cache/object_heap.h"

#include <algorithm>

namespace tamis::cache {
namespace {
std::string nextText(std::uint32_t next) { return next == kNever ? "does not come again" : "comes again at request " + std::to_string(next); }

/// The farthest next request first.
class Belady final : public EvictingPolicy<Belady> {
public:
    using EvictingPolicy::EvictingPolicy;
    void know(std::size_t objects) override
    {
        m_heap.know(objects);
        if (objects > m_sizes.size())
            m_sizes.resize(objects);
    }
    void prefetch(std::uint32_t object) const noexcept { m_heap.prefetch(object); }
    bool touch(const Request& request)
    {
        if (!m_heap.contains(request.object))
            return false;
        m_heap.set(request.object, kNever - request.next);
        return true;
    }
    void evict()
    {
        tellEvicted(m_heap.top());
        m_bytes -= m_sizes[m_heap.pop()];
    }
    void insert(const Request& request)
    {
        m_sizes[request.object] = request.size;
        m_bytes += request.size;
        m_heap.set(request.object, kNever - request.next);
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
    std::size_t stateBytes() const noexcept override { return m_heap.bytesHeld() + m_sizes.capacity() * sizeof(std::uint32_t); }
    std::string standing(std::uint32_t object) const override { return m_heap.contains(object) ? nextText(kNever - m_heap.key(object)) : std::string(); }

private:
    ObjectHeap<std::uint32_t> m_heap;
    std::vector<std::uint32_t> m_sizes;
    std::uint64_t m_bytes = 0;
};

/// The largest size x time until the next request first, looked for among all that is held; what never comes again is not taken in.
class BeladySize final : public EvictingPolicy<BeladySize> {
public:
    using EvictingPolicy::EvictingPolicy;
    void know(std::size_t objects) override
    {
        if (objects > m_places.size()) {
            m_places.resize(objects, kNoObject);
            m_sizes.resize(objects);
        }
    }
    void prefetch(std::uint32_t object) const noexcept { __builtin_prefetch(&m_places[object], 1); }
    bool touch(const Request& request)
    {
        ++m_now;
        const std::uint32_t place = m_places[request.object];
        if (place == kNoObject)
            return false;
        if (request.next == kNever) {
            tellEvicted(request.object);
            take(place);
        } else {
            m_held[place].next = request.next;
        }
        return true;
    }
    bool admits(const Request& request) const noexcept { return request.next != kNever && EvictingPolicy::admits(request); }
    void evict()
    {
        std::size_t worst = 0;
        double most = -1;
        for (std::size_t i = 0; i < m_held.size(); ++i) {
            const double score = static_cast<double>(m_sizes[m_held[i].object]) * (static_cast<double>(m_held[i].next) - static_cast<double>(m_now));
            if (score > most) {
                most = score;
                worst = i;
            }
        }
        tellEvicted(m_held[worst].object);
        take(worst);
    }
    void insert(const Request& request)
    {
        m_sizes[request.object] = request.size;
        m_bytes += request.size;
        m_places[request.object] = static_cast<std::uint32_t>(m_held.size());
        m_held.push_back({request.object, request.next});
    }
    std::uint64_t occupied() const noexcept override { return m_bytes; }
    std::vector<std::uint32_t> contents() const override
    {
        std::vector<Held> sorted = m_held;
        std::ranges::sort(sorted, {}, &Held::next);
        std::vector<std::uint32_t> held;
        for (const Held& each : sorted)
            held.push_back(each.object);
        return held;
    }
    std::size_t stateBytes() const noexcept override { return (m_places.capacity() + m_sizes.capacity()) * sizeof(std::uint32_t) + m_held.capacity() * sizeof(Held); }
    std::string standing(std::uint32_t object) const override
    {
        const std::uint32_t place = m_places[object];
        return place == kNoObject ? std::string() : nextText(m_held[place].next) + ", size " + std::to_string(m_sizes[object]);
    }

private:
    struct Held {
        std::uint32_t object, next;
    };
    void take(std::size_t place)
    {
        m_bytes -= m_sizes[m_held[place].object];
        m_places[m_held[place].object] = kNoObject;
        m_held[place] = m_held.back();
        m_held.pop_back();
        if (place < m_held.size())
            m_places[m_held[place].object] = static_cast<std::uint32_t>(place);
    }
    std::vector<Held> m_held;
    std::vector<std::uint32_t> m_places, m_sizes;
    std::uint64_t m_bytes = 0;
    std::int64_t m_now = -1;
};
} // namespace

Method beladyMethod()
{
    Method method;
    method.declaration = {.id = "cache.belady", .lab = "cache", .title = "Belady's MIN (unit size only)", .reference = "Belady 1966: the farthest next request leaves; the least misses there can be where all objects are of one size", .schema = {}};
    method.knowsFuture = method.limit = true;
    method.policy = [](const PolicyInputs& inputs, const Parameters&) { return std::make_unique<Belady>(inputs.capacity); };
    return method;
}

Method beladySizeMethod()
{
    Method method;
    method.declaration = {.id = "cache.belady-size", .lab = "cache", .title = "Belady by size and distance", .reference = "the largest size x time until the next request leaves: better than MIN where sizes differ, not proven best", .schema = {}};
    method.knowsFuture = true;
    method.policy = [](const PolicyInputs& inputs, const Parameters&) { return std::make_unique<BeladySize>(inputs.capacity); };
    return method;
}

} // namespace tamis::cache
