// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/clock.h"

#include "core/cache/object_lists.h"

#include <algorithm>

namespace tamis::cache {
namespace {
class Clock final : public EvictingPolicy<Clock> {
public:
    Clock(std::uint64_t capacity, int bits) : EvictingPolicy(capacity), m_most(static_cast<std::uint16_t>((1U << static_cast<unsigned>(bits)) - 1U)) {}
    void know(std::size_t objects) override { m_queue.know(objects); }
    void prefetch(std::uint32_t object) const noexcept { m_queue.prefetch(object); }
    bool touch(const Request& request) noexcept
    {
        ObjectNode& node = m_queue[request.object];
        if (node.list == 0)
            return false;
        node.count = std::min<std::uint16_t>(static_cast<std::uint16_t>(node.count + 1), m_most);
        return true;
    }
    void evict()
    {
        std::uint32_t object = m_queue.back(1);
        for (; m_queue[object].count > 0; object = m_queue.back(1)) {
            --m_queue[object].count;
            m_queue.moveToFront(object);
        }
        m_queue.remove(object);
        tellEvicted(object);
    }
    void insert(const Request& request)
    {
        ObjectNode& node = m_queue[request.object];
        node.size = request.size;
        node.count = 0;
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
    std::uint16_t m_most;
};
} // namespace

Method clockMethod()
{
    Method method;
    method.declaration = {
        .id = "cache.clock",
        .lab = "cache",
        .title = "Clock (second chance)",
        .reference = "Corbato 1968: who was requested since goes round once more; with n bits up to 2^n - 1 times",
        .schema = ParameterSchema({{.name = "bits", .title = "Bits", .type = ParameterType::Integer, .defaultValue = std::int64_t{1}, .minimum = 1, .maximum = 8, .unit = "bits",
                                    .help = "Of the counter of requests"}})};
    method.policy = [](const PolicyInputs& inputs, const Parameters& given) {
        return std::make_unique<Clock>(inputs.capacity, static_cast<int>(clockMethod().declaration.schema.complete(given).integer("bits")));
    };
    return method;
}

} // namespace tamis::cache
