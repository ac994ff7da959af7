// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/slru.h"

#include "core/cache/object_lists.h"
#include "core/cache/standing_text.h"

namespace tamis::cache {
namespace {
/// Segment 1 is the lowest: newcomers enter the lowest that has room, what overflows sinks by one, what sinks below 1 leaves.
class Slru final : public EvictingPolicy<Slru> {
public:
    Slru(std::uint64_t capacity, std::size_t segments) : EvictingPolicy(capacity), m_segments(segments), m_each(capacity / segments), m_lists(segments) {}
    void know(std::size_t objects) override { m_lists.know(objects); }
    void prefetch(std::uint32_t object) const noexcept { m_lists.prefetch(object); }
    bool touch(const Request& request)
    {
        const std::size_t in = m_lists[request.object].list;
        if (in == 0)
            return false;
        if (in == m_segments) {
            m_lists.moveToFront(request.object);
            return true;
        }
        m_lists.moveTo(in + 1, request.object);
        sink(in + 1);
        return true;
    }
    bool admits(const Request& request) const noexcept { return request.size <= m_each; }
    void evict()
    {
        for (std::size_t segment = 1; segment <= m_segments; ++segment)
            if (m_lists.back(segment) != kNoObject) {
                const std::uint32_t object = m_lists.back(segment);
                tellEvicted(object);
                m_lists.remove(object);
                return;
            }
    }
    void insert(const Request& request)
    {
        std::size_t segment = 1;
        while (segment < m_segments && m_lists.bytes(segment) + request.size > m_each)
            ++segment;
        if (m_lists.bytes(segment) + request.size > m_each)
            segment = 1; // full everywhere but by rounding: there is room in the whole
        m_lists[request.object].size = request.size;
        m_lists.pushFront(segment, request.object);
    }
    bool erase(std::uint32_t object) override
    {
        if (m_lists[object].list == 0)
            return false;
        m_lists.remove(object);
        return true;
    }
    bool canErase() const noexcept override { return true; }
    std::uint64_t occupied() const noexcept override
    {
        std::uint64_t bytes = 0;
        for (std::size_t segment = 1; segment <= m_segments; ++segment)
            bytes += m_lists.bytes(segment);
        return bytes;
    }
    std::vector<std::uint32_t> contents() const override
    {
        std::vector<std::uint32_t> held;
        for (std::size_t segment = m_segments; segment > 0; --segment)
            m_lists.append(segment, held);
        return held;
    }
    std::size_t stateBytes() const noexcept override { return m_lists.bytesHeld(); }
    std::string standing(std::uint32_t object) const override
    {
        return "segment " + std::to_string(m_lists[object].list) + " of " + std::to_string(m_segments) + ", " + placeText(m_lists, object);
    }

private:
    void sink(std::size_t segment)
    {
        while (m_lists.bytes(segment) > m_each) {
            if (segment == 1) {
                evict();
                continue;
            }
            m_lists.moveTo(segment - 1, m_lists.back(segment));
            sink(segment - 1);
        }
    }
    std::size_t m_segments;
    std::uint64_t m_each;
    ObjectLists m_lists;
};
} // namespace

Method slruMethod()
{
    Method method;
    method.declaration = {
        .id = "cache.slru",
        .lab = "cache",
        .title = "Segmented least recently used",
        .reference = "Karedla, Love, Wherry 1994: a hit climbs one segment, what overflows sinks one",
        .schema = ParameterSchema({{.name = "segments", .title = "Segments", .type = ParameterType::Integer, .defaultValue = std::int64_t{4}, .minimum = 1, .maximum = 16, .help = "Of equal size"}})};
    method.policy = [](const PolicyInputs& inputs, const Parameters& given) {
        return std::make_unique<Slru>(inputs.capacity, static_cast<std::size_t>(slruMethod().declaration.schema.complete(given).integer("segments")));
    };
    return method;
}

} // namespace tamis::cache
