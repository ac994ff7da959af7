// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/sieve.h"

#include "core/cache/object_lists.h"

namespace tamis::cache {
namespace {
class Sieve final : public EvictingPolicy<Sieve> {
public:
    using EvictingPolicy::EvictingPolicy;
    void know(std::size_t objects) override { m_queue.know(objects); }
    void prefetch(std::uint32_t object) const noexcept { m_queue.prefetch(object); }
    bool touch(const Request& request) noexcept
    {
        ObjectNode& node = m_queue[request.object];
        if (node.list == 0)
            return false;
        node.mark = 1;
        return true;
    }
    /// The hand goes from the back to the front and stays where it took one away.
    void evict()
    {
        std::uint32_t object = m_hand == kNoObject ? m_queue.back(1) : m_hand;
        while (m_queue[object].mark != 0) {
            m_queue[object].mark = 0;
            object = m_queue[object].towardsFront == kNoObject ? m_queue.back(1) : m_queue[object].towardsFront;
        }
        m_hand = m_queue[object].towardsFront;
        m_queue.remove(object);
        tellEvicted(object);
    }
    void insert(const Request& request)
    {
        ObjectNode& node = m_queue[request.object];
        node.size = request.size;
        node.mark = 0;
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
    std::uint32_t m_hand = kNoObject;
};
} // namespace

Method sieveMethod()
{
    Method method;
    method.declaration = {.id = "cache.sieve", .lab = "cache", .title = "SIEVE", .reference = "Zhang et al. 2024: one bit an object, newcomers at the front, a hand that stays where it evicted", .schema = {}};
    method.policy = [](const PolicyInputs& inputs, const Parameters&) { return std::make_unique<Sieve>(inputs.capacity); };
    return method;
}

} // namespace tamis::cache
