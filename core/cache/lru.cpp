// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/lru.h"

#include "core/cache/object_lists.h"

namespace tamis::cache {
namespace {
/// By the last request: the oldest leaves (LRU), or the newest (MRU).
template <bool Newest> class ByRecency final : public EvictingPolicy<ByRecency<Newest>> {
public:
    using EvictingPolicy<ByRecency<Newest>>::EvictingPolicy;
    void know(std::size_t objects) override { m_queue.know(objects); }
    void prefetch(std::uint32_t object) const noexcept { m_queue.prefetch(object); }
    bool touch(const Request& request) noexcept
    {
        if (m_queue[request.object].list == 0)
            return false;
        m_queue.moveToFront(request.object);
        return true;
    }
    void evict()
    {
        const std::uint32_t object = Newest ? m_queue.front(1) : m_queue.back(1);
        m_queue.remove(object);
        this->tellEvicted(object);
    }
    void insert(const Request& request)
    {
        m_queue[request.object].size = request.size;
        m_queue.pushFront(1, request.object);
    }
    std::uint64_t occupied() const noexcept override { return m_queue.bytes(1); }
    std::vector<std::uint32_t> contents() const override
    {
        std::vector<std::uint32_t> held;
        m_queue.append(1, held);
        return Newest ? std::vector<std::uint32_t>(held.rbegin(), held.rend()) : held;
    }
    std::size_t stateBytes() const noexcept override { return m_queue.bytesHeld(); }

private:
    ObjectLists m_queue{1};
};
} // namespace

Method lruMethod()
{
    Method method;
    method.declaration = {.id = "cache.lru", .lab = "cache", .title = "Least recently used", .reference = "the object whose last request is the oldest leaves", .schema = {}};
    method.policy = [](const PolicyInputs& inputs, const Parameters&) { return std::make_unique<ByRecency<false>>(inputs.capacity); };
    return method;
}

Method mruMethod()
{
    Method method;
    method.declaration = {.id = "cache.mru", .lab = "cache", .title = "Most recently used", .reference = "the object whose last request is the newest leaves: right for loops longer than the cache", .schema = {}};
    method.policy = [](const PolicyInputs& inputs, const Parameters&) { return std::make_unique<ByRecency<true>>(inputs.capacity); };
    return method;
}

} // namespace tamis::cache
