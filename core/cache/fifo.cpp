// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/fifo.h"

#include "core/cache/object_lists.h"

namespace tamis::cache {
namespace {
class Fifo final : public EvictingPolicy<Fifo> {
public:
    using EvictingPolicy::EvictingPolicy;
    void know(std::size_t objects) override { m_queue.know(objects); }
    void prefetch(std::uint32_t object) const noexcept { m_queue.prefetch(object); }
    bool touch(const Request& request) noexcept { return m_queue[request.object].list != 0; }
    void evict()
    {
        const std::uint32_t object = m_queue.back(1);
        m_queue.remove(object);
        tellEvicted(object);
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
        return held;
    }
    std::size_t stateBytes() const noexcept override { return m_queue.bytesHeld(); }

private:
    ObjectLists m_queue{1};
};
} // namespace

Method fifoMethod()
{
    Method method;
    method.declaration = {.id = "cache.fifo", .lab = "cache", .title = "First in, first out", .reference = "the object that was put in first leaves first", .schema = {}};
    method.policy = [](const PolicyInputs& inputs, const Parameters&) { return std::make_unique<Fifo>(inputs.capacity); };
    return method;
}

} // namespace tamis::cache
