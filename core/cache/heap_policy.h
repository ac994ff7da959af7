// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Policies whose next victim is the least key of a heap. Private to the lab.
#include "core/cache/object_heap.h"
#include "core/cache/policy.h"

#include <algorithm>
#include <tuple>

namespace tamis::cache {

/// Backward K-distance: who has fewer than K requests has time 0 and leaves first; equal: the least recent.
struct KthRequest {
    std::uint64_t kth = 0, last = 0;
    bool operator<(const KthRequest& other) const noexcept { return std::tie(kth, last) < std::tie(other.kth, other.last); }
};

/// Holds what is in the heap: Derived puts it there with enter(), and says what a request does in touch() and insert(). It may hide leaves(key), told of
/// the key that is about to leave.
template <class Derived, class Key> class HeapPolicy : public EvictingPolicy<Derived> {
public:
    using EvictingPolicy<Derived>::EvictingPolicy;
    void know(std::size_t objects) override
    {
        m_heap.know(objects);
        if (objects > m_sizes.size())
            m_sizes.resize(objects);
    }
    void prefetch(std::uint32_t object) const noexcept { m_heap.prefetch(object); }
    void evict()
    {
        static_cast<Derived&>(*this).leaves(m_heap.topKey());
        this->tellEvicted(m_heap.top());
        m_bytes -= m_sizes[m_heap.pop()];
    }
    void leaves(const Key&) const noexcept {}
    bool erase(std::uint32_t object) override
    {
        if (!m_heap.contains(object))
            return false;
        m_heap.remove(object);
        m_bytes -= m_sizes[object];
        return true;
    }
    bool canErase() const noexcept override { return true; }
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

protected:
    void enter(const Request& request, const Key& key)
    {
        takeIn(request);
        m_heap.set(request.object, key);
    }
    /// Its size and room; the heap comes later.
    void takeIn(const Request& request)
    {
        m_sizes[request.object] = request.size;
        m_bytes += request.size;
    }
    void giveUp(std::uint32_t object) noexcept { m_bytes -= m_sizes[object]; }
    ObjectHeap<Key>& heap() noexcept { return m_heap; }
    const ObjectHeap<Key>& heap() const noexcept { return m_heap; }
    std::uint32_t sizeOf(std::uint32_t object) const noexcept { return m_sizes[object]; }

private:
    ObjectHeap<Key> m_heap;
    std::vector<std::uint32_t> m_sizes; ///< [objects] that they were put in with
    std::uint64_t m_bytes = 0;
};

} // namespace tamis::cache
