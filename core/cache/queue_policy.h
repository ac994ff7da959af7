// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Policies with one queue: newcomers at the front. Private to the lab.
#include "core/cache/object_lists.h"
#include "core/cache/policy.h"
#include "core/cache/standing_text.h"

namespace tamis::cache {

/// Derived has bool touch(const Request&) and std::uint32_t victim(): the object that leaves, still in the queue.
template <class Derived> class QueuePolicy : public EvictingPolicy<Derived> {
public:
    using EvictingPolicy<Derived>::EvictingPolicy;
    void know(std::size_t objects) override { m_queue.know(objects); }
    void prefetch(std::uint32_t object) const noexcept { m_queue.prefetch(object); }
    void evict()
    {
        const std::uint32_t object = static_cast<Derived&>(*this).victim();
        this->tellEvicted(object);
        m_queue.remove(object);
    }
    void insert(const Request& request) noexcept
    {
        ObjectNode& node = m_queue[request.object];
        node.size = request.size;
        node.count = 0;
        node.mark = 0;
        m_queue.pushFront(kQueue, request.object);
    }
    bool erase(std::uint32_t object) override
    {
        if (m_queue[object].list != kQueue)
            return false;
        static_cast<Derived&>(*this).leaving(object);
        m_queue.remove(object);
        return true;
    }
    bool canErase() const noexcept override { return true; }
    void leaving(std::uint32_t) noexcept {} ///< about to be erased
    std::uint64_t occupied() const noexcept override { return m_queue.bytes(kQueue); }
    std::vector<std::uint32_t> contents() const override
    {
        std::vector<std::uint32_t> held;
        m_queue.append(kQueue, held);
        return held;
    }
    std::size_t stateBytes() const noexcept override { return m_queue.bytesHeld(); }
    std::string standing(std::uint32_t object) const override { return placeText(m_queue, object); }

protected:
    static constexpr std::size_t kQueue = 1;
    ObjectLists& queue() noexcept { return m_queue; }
    const ObjectLists& queue() const noexcept { return m_queue; }

private:
    ObjectLists m_queue{1};
};

} // namespace tamis::cache
