// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/s3_fifo.h"

#include "core/cache/object_lists.h"
#include "core/cache/standing_text.h"

#include <algorithm>

namespace tamis::cache {
namespace {
constexpr std::size_t kSmall = 1, kMain = 2, kGhost = 3;
constexpr std::uint16_t kMostRounds = 3; ///< of the main queue's counter of two bits

struct S3Settings {
    double small = 0.1, ghost = 0.9;
    std::uint16_t promote = 2;
};

class S3Fifo final : public EvictingPolicy<S3Fifo> {
public:
    S3Fifo(std::uint64_t capacity, const S3Settings& settings)
        : EvictingPolicy(capacity), m_small(std::max<std::uint64_t>(1, static_cast<std::uint64_t>(static_cast<double>(capacity) * settings.small))),
          m_main(capacity > m_small ? capacity - m_small : 0), m_ghost(static_cast<std::uint64_t>(static_cast<double>(capacity) * settings.ghost)), m_promote(settings.promote) {}
    void know(std::size_t objects) override { m_lists.know(objects); }
    void prefetch(std::uint32_t object) const noexcept { m_lists.prefetch(object); }
    bool touch(const Request& request) noexcept
    {
        m_cameBack = false;
        ObjectNode& node = m_lists[request.object];
        if (node.list == kSmall || node.list == kMain) {
            node.count = std::min<std::uint16_t>(static_cast<std::uint16_t>(node.count + 1), std::max(kMostRounds, m_promote));
            return true;
        }
        if (node.list == kGhost) {
            m_lists.remove(request.object);
            m_cameBack = true;
        }
        return false;
    }
    bool admits(const Request& request) const noexcept { return request.size <= m_small; }
    void evict()
    {
        if (m_lists.bytes(kMain) > m_main || m_lists.back(kSmall) == kNoObject)
            evictMain();
        else
            evictSmall();
    }
    void insert(const Request& request)
    {
        ObjectNode& node = m_lists[request.object];
        if (!m_cameBack && request.size >= m_small && m_small > 1)
            return; // it would be the whole small queue. Room was made all the same, as the authors' simulator does
        node.size = request.size;
        node.count = 0;
        m_lists.pushFront(m_cameBack ? kMain : kSmall, request.object);
    }
    std::uint64_t occupied() const noexcept override { return m_lists.bytes(kSmall) + m_lists.bytes(kMain); }
    std::vector<std::uint32_t> contents() const override
    {
        std::vector<std::uint32_t> held;
        m_lists.append(kMain, held);
        m_lists.append(kSmall, held);
        return held;
    }
    std::size_t stateBytes() const noexcept override { return m_lists.bytesHeld(); }
    std::string standing(std::uint32_t object) const override
    {
        const ObjectNode& node = m_lists[object];
        return node.list == kSmall ? "small queue, used " + counted(node.count, "time") : node.list == kMain ? "main queue, " + counted(node.count, "round") + " left" : std::string();
    }

private:
    void evictSmall()
    {
        while (m_lists.back(kSmall) != kNoObject) {
            const std::uint32_t object = m_lists.back(kSmall);
            if (m_lists[object].count >= m_promote) {
                m_lists[object].count = 0;
                m_lists.moveTo(kMain, object);
                continue;
            }
            tellEvicted(object);
            m_lists.remove(object);
            const std::uint64_t size = m_lists[object].size;
            if (size > m_ghost)
                return;
            while (m_lists.bytes(kGhost) + size > m_ghost)
                m_lists.remove(m_lists.back(kGhost));
            m_lists.pushFront(kGhost, object);
            return;
        }
    }
    void evictMain()
    {
        while (m_lists.back(kMain) != kNoObject) {
            const std::uint32_t object = m_lists.back(kMain);
            ObjectNode& node = m_lists[object];
            if (node.count == 0) {
                tellEvicted(object);
                m_lists.remove(object);
                return;
            }
            node.count = static_cast<std::uint16_t>(std::min(node.count, kMostRounds) - 1);
            m_lists.moveToFront(object);
        }
    }
    std::uint64_t m_small, m_main, m_ghost;
    std::uint16_t m_promote;
    ObjectLists m_lists{3};
    bool m_cameBack = false;
};
} // namespace

Method s3FifoMethod()
{
    Method method;
    method.declaration = {
        .id = "cache.s3-fifo",
        .lab = "cache",
        .title = "S3-FIFO",
        .reference = "Yang et al. 2023: newcomers in a small queue, those requested again go to the main one, a ghost queue remembers the rest",
        .schema = ParameterSchema({
            {.name = "small", .title = "Small queue", .type = ParameterType::Real, .defaultValue = 0.1, .minimum = 0.001, .maximum = 0.99, .help = "Share of the cache"},
            {.name = "ghost", .title = "Ghost queue", .type = ParameterType::Real, .defaultValue = 0.9, .minimum = 0, .maximum = 4, .help = "Names of evicted newcomers, in cache sizes"},
            {.name = "promote", .title = "Promote at", .type = ParameterType::Integer, .defaultValue = std::int64_t{2}, .minimum = 1, .maximum = 100, .unit = "requests",
             .help = "In the small queue, to move to the main one; the paper's text says 2, its pseudocode more than 1"},
        })};
    method.policy = [](const PolicyInputs& inputs, const Parameters& given) {
        const Parameters parameters = s3FifoMethod().declaration.schema.complete(given);
        return std::make_unique<S3Fifo>(inputs.capacity, S3Settings{parameters.real("small"), parameters.real("ghost"), static_cast<std::uint16_t>(parameters.integer("promote"))});
    };
    return method;
}

} // namespace tamis::cache
