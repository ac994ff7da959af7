// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/arc.h"

#include "core/cache/object_lists.h"
#include "core/cache/standing_text.h"

#include <algorithm>

namespace tamis::cache {
namespace {
constexpr std::size_t kOnce = 1, kOnceGhost = 2, kOften = 3, kOftenGhost = 4; ///< T1, B1, T2, B2

class Arc final : public EvictingPolicy<Arc> {
public:
    using EvictingPolicy::EvictingPolicy;
    void know(std::size_t objects) override { m_lists.know(objects); }
    void prefetch(std::uint32_t object) const noexcept { m_lists.prefetch(object); }
    bool touch(const Request& request) noexcept
    {
        m_ghost = 0;
        const std::size_t in = m_lists[request.object].list;
        if (in == kOnce) {
            m_lists.moveTo(kOften, request.object);
            return true;
        }
        if (in == kOften) {
            m_lists.moveToFront(request.object);
            return true;
        }
        if (in == 0)
            return false;
        const auto once = static_cast<double>(m_lists.bytes(kOnceGhost)), often = static_cast<double>(m_lists.bytes(kOftenGhost));
        if (in == kOnceGhost)
            m_target = std::min(m_target + std::max(often / once, 1.0), static_cast<double>(capacity()));
        else
            m_target = std::max(m_target - std::max(once / often, 1.0), 0.0);
        m_lists.remove(request.object);
        m_ghost = in;
        m_incoming = request.size;
        return false;
    }
    void evict()
    {
        if (occupied() + m_incoming <= capacity())
            return replace(); // nobody needs the room
        if (m_ghost == 0 && m_lists.bytes(kOnce) + m_lists.bytes(kOnceGhost) + m_incoming > capacity()) {
            if (m_lists.back(kOnceGhost) == kNoObject) {
                const std::uint32_t object = m_lists.back(kOnce);
                tellEvicted(object);
                m_lists.remove(object);
                return;
            }
            m_lists.remove(m_lists.back(kOnceGhost));
        } else if (m_ghost == 0 && total() >= 2 * capacity() && m_lists.back(kOftenGhost) != kNoObject) {
            m_lists.remove(m_lists.back(kOftenGhost));
        }
        replace();
    }
    bool admits(const Request& request) noexcept
    {
        if (request.size > capacity())
            return false;
        m_incoming = request.size;
        return true;
    }
    void insert(const Request& request)
    {
        m_lists[request.object].size = request.size;
        m_lists.pushFront(m_ghost == 0 ? kOnce : kOften, request.object);
    }
    std::uint64_t occupied() const noexcept override { return m_lists.bytes(kOnce) + m_lists.bytes(kOften); }
    std::vector<std::uint32_t> contents() const override
    {
        std::vector<std::uint32_t> held;
        m_lists.append(kOften, held);
        m_lists.append(kOnce, held);
        return held;
    }
    std::size_t stateBytes() const noexcept override { return m_lists.bytesHeld(); }
    std::string standing(std::uint32_t object) const override
    {
        return std::string(m_lists[object].list == kOnce ? "among those requested once, " : "among those requested again, ") + placeText(m_lists, object) + "; " +
               std::to_string(m_lists.bytes(kOnce)) + " requested once, " + std::to_string(static_cast<std::uint64_t>(m_target)) + " aimed at";
    }

private:
    std::uint64_t total() const noexcept { return m_lists.bytes(kOnce) + m_lists.bytes(kOnceGhost) + m_lists.bytes(kOften) + m_lists.bytes(kOftenGhost); }
    void replace()
    {
        const auto once = static_cast<double>(m_lists.bytes(kOnce));
        const bool fromOnce = (once > 0 && (once > m_target || (once == m_target && m_ghost == kOftenGhost))) || m_lists.back(kOften) == kNoObject;
        const std::uint32_t object = m_lists.back(fromOnce ? kOnce : kOften);
        tellEvicted(object);
        m_lists.moveTo(fromOnce ? kOnceGhost : kOftenGhost, object);
    }
    ObjectLists m_lists{4};
    double m_target = 0;        ///< p: what T1 should hold
    std::size_t m_ghost = 0;    ///< list that the request was found in; 0: none
    std::uint64_t m_incoming = 0;
};
} // namespace

Method arcMethod()
{
    Method method;
    method.declaration = {.id = "cache.arc", .lab = "cache", .title = "ARC", .reference = "Megiddo, Modha 2003: two lists and their ghosts, whose hits move the border between recency and frequency, by one unit or the ghosts' ratio; with sizes the unit is a byte, as in libCacheSim: it hardly moves", .schema = {}};
    method.policy = [](const PolicyInputs& inputs, const Parameters&) { return std::make_unique<Arc>(inputs.capacity); };
    return method;
}

} // namespace tamis::cache
