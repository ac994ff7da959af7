// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/two_q.h"

#include "core/cache/object_lists.h"
#include "core/cache/standing_text.h"

namespace tamis::cache {
namespace {
constexpr std::size_t kIn = 1, kOut = 2, kMain = 3;

class TwoQ final : public EvictingPolicy<TwoQ> {
public:
    TwoQ(std::uint64_t capacity, double in, double out)
        : EvictingPolicy(capacity), m_in(static_cast<std::uint64_t>(static_cast<double>(capacity) * in)), m_out(static_cast<std::uint64_t>(static_cast<double>(capacity) * out)) {}
    void know(std::size_t objects) override { m_lists.know(objects); }
    void prefetch(std::uint32_t object) const noexcept { m_lists.prefetch(object); }
    bool touch(const Request& request) noexcept
    {
        m_cameBack = false;
        const std::size_t in = m_lists[request.object].list;
        if (in == kIn)
            return true;
        if (in == kMain) {
            m_lists.moveToFront(request.object);
            return true;
        }
        if (in == kOut) {
            m_lists.remove(request.object);
            m_cameBack = true;
        }
        return false;
    }
    void evict()
    {
        if (m_lists.bytes(kIn) > m_in || m_lists.back(kMain) == kNoObject) {
            const std::uint32_t object = m_lists.back(kIn);
            tellEvicted(object);
            m_lists.remove(object);
            remember(object);
            return;
        }
        const std::uint32_t object = m_lists.back(kMain);
        tellEvicted(object);
        m_lists.remove(object);
    }
    void insert(const Request& request)
    {
        m_lists[request.object].size = request.size;
        m_lists.pushFront(m_cameBack ? kMain : kIn, request.object);
    }
    std::uint64_t occupied() const noexcept override { return m_lists.bytes(kIn) + m_lists.bytes(kMain); }
    std::vector<std::uint32_t> contents() const override
    {
        std::vector<std::uint32_t> held;
        m_lists.append(kMain, held);
        m_lists.append(kIn, held);
        return held;
    }
    std::size_t stateBytes() const noexcept override { return m_lists.bytesHeld(); }
    std::string standing(std::uint32_t object) const override
    {
        return (m_lists[object].list == kIn ? "newcomers' queue, " : "those that came back, ") + placeText(m_lists, object);
    }

private:
    void remember(std::uint32_t object)
    {
        const std::uint64_t size = m_lists[object].size;
        if (size > m_out)
            return;
        while (m_lists.bytes(kOut) + size > m_out)
            m_lists.remove(m_lists.back(kOut));
        m_lists.pushFront(kOut, object);
    }
    std::uint64_t m_in, m_out;
    ObjectLists m_lists{3};
    bool m_cameBack = false;
};
} // namespace

Method twoQMethod()
{
    Method method;
    method.declaration = {
        .id = "cache.two-q",
        .lab = "cache",
        .title = "2Q",
        .reference = "Johnson, Shasha 1994, full version: newcomers in a queue, those that come back after it in a least-recently-used list",
        .schema = ParameterSchema({
            {.name = "in", .title = "Newcomers", .type = ParameterType::Real, .defaultValue = 0.25, .minimum = 0, .maximum = 1, .help = "Share of the cache that the queue keeps"},
            {.name = "out", .title = "Remembered", .type = ParameterType::Real, .defaultValue = 0.5, .minimum = 0, .maximum = 4, .help = "Names of evicted newcomers, in cache sizes"},
        })};
    method.policy = [](const PolicyInputs& inputs, const Parameters& given) {
        const Parameters parameters = twoQMethod().declaration.schema.complete(given);
        return std::make_unique<TwoQ>(inputs.capacity, parameters.real("in"), parameters.real("out"));
    };
    return method;
}

} // namespace tamis::cache
