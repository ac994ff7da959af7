// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/w_tinylfu.h"

#include "core/cache/count_sketch.h"
#include "core/cache/object_lists.h"

#include <algorithm>
#include <cmath>

namespace tamis::cache {
namespace {
constexpr std::size_t kWindow = 1, kProbation = 2, kProtected = 3;

constexpr std::uint64_t kMostCounters = std::uint64_t{1} << 27U; ///< of 4 bits in words of 8 bytes, a word for four

struct TinySettings {
    double window = 0.01, protectedShare = 0.8;
    bool climb = true;
};

/// Its window grows while that makes more hits, and shrinks while this does.
class Climber {
public:
    explicit Climber(std::uint64_t objects) : m_period(10 * std::max<std::uint64_t>(objects, 100)), m_step(0.0625) {}
    /// The change of the window's share after this request; 0 nearly always.
    double after(bool hit) noexcept
    {
        m_hits += hit ? 1U : 0U;
        if (++m_requests < m_period)
            return 0;
        const double ratio = static_cast<double>(m_hits) / static_cast<double>(m_requests);
        const double change = ratio - m_before;
        if (m_known) {
            if (change < 0)
                m_step = -m_step;
            m_step = std::abs(change) >= 0.05 ? std::copysign(0.0625, m_step) : m_step * 0.98;
        }
        m_known = true;
        m_before = ratio;
        m_requests = m_hits = 0;
        return m_step;
    }

private:
    std::uint64_t m_period, m_requests = 0, m_hits = 0;
    double m_step, m_before = 0;
    bool m_known = false;
};

class WTinyLfu final : public PolicyOf<WTinyLfu> {
public:
    /// `objects`: that the cache holds, about. Counts and periods go by them, whatever the unit of the capacity; the sketch takes 256 MiB at most.
    WTinyLfu(std::uint64_t capacity, std::uint64_t objects, const TinySettings& settings)
        : m_capacity(capacity), m_settings(settings), m_share(settings.window), m_sketch(std::min<std::uint64_t>(objects, kMostCounters), 10 * objects), m_climber(objects)
    {
        setWindow();
    }
    void know(std::size_t objects) override
    {
        m_lists.know(objects);
    }
    void prefetch(std::uint32_t object) const noexcept
    {
        m_lists.prefetch(object);
        m_sketch.prefetch(object);
    }
    bool access(const Request& request)
    {
        m_sketch.add(request.object);
        const bool hit = touch(request.object);
        if (!hit && request.size <= m_capacity)
            insert(request);
        if (m_settings.climb)
            if (const double change = m_climber.after(hit); change != 0) {
                m_share = std::clamp(m_share + change, 0.0, 0.8);
                setWindow();
                settle();
            }
        return hit;
    }
    std::uint64_t occupied() const noexcept override { return m_lists.bytes(kWindow) + mainBytes(); }
    std::vector<std::uint32_t> contents() const override
    {
        std::vector<std::uint32_t> held;
        m_lists.append(kProtected, held);
        m_lists.append(kProbation, held);
        m_lists.append(kWindow, held);
        return held;
    }
    std::size_t stateBytes() const noexcept override { return m_lists.bytesHeld() + m_sketch.bytesHeld(); }
    bool evictOne() override
    {
        const std::uint32_t object = victim();
        if (object != kNoObject)
            drop(object);
        return object != kNoObject;
    }
    std::string standing(std::uint32_t object) const override
    {
        const std::size_t in = m_lists[object].list;
        const char* part = in == kWindow ? "window" : in == kProbation ? "probation" : in == kProtected ? "protected" : nullptr;
        return part ? std::string(part) + ", counted " + std::to_string(m_sketch.estimate(object)) : std::string();
    }

private:
    std::uint64_t mainBytes() const noexcept { return m_lists.bytes(kProbation) + m_lists.bytes(kProtected); }
    void setWindow() noexcept
    {
        m_window = std::clamp<std::uint64_t>(static_cast<std::uint64_t>(static_cast<double>(m_capacity) * m_share), 1, m_capacity);
        m_protected = static_cast<std::uint64_t>(static_cast<double>(m_capacity - m_window) * m_settings.protectedShare);
    }
    bool touch(std::uint32_t object)
    {
        const std::size_t in = m_lists[object].list;
        if (in == 0)
            return false;
        if (in != kProbation) {
            m_lists.moveToFront(object);
            return true;
        }
        m_lists.moveTo(kProtected, object);
        while (m_lists.bytes(kProtected) > m_protected && m_lists.back(kProtected) != kNoObject)
            m_lists.moveTo(kProbation, m_lists.back(kProtected));
        return true;
    }
    void insert(const Request& request)
    {
        m_lists[request.object].size = request.size;
        m_lists.pushFront(kWindow, request.object);
        settle();
    }
    /// What the window cannot hold asks to enter the main part.
    void settle()
    {
        while (m_lists.bytes(kWindow) > m_window && m_lists.back(kWindow) != kNoObject)
            admit(m_lists.back(kWindow));
        while (occupied() > m_capacity)
            drop(victim());
    }
    std::uint32_t victim() const noexcept
    {
        for (const std::size_t list : {kProbation, kProtected, kWindow})
            if (m_lists.back(list) != kNoObject)
                return m_lists.back(list);
        return kNoObject;
    }
    void drop(std::uint32_t object)
    {
        tellEvicted(object);
        m_lists.remove(object);
    }
    /// In place of those that have been asked for less often than it; else it leaves.
    void admit(std::uint32_t object)
    {
        const std::uint64_t size = m_lists[object].size, room = m_capacity - m_window;
        if (size > room)
            return drop(object);
        const unsigned count = m_sketch.estimate(object);
        while (mainBytes() + size > room) {
            const std::uint32_t other = m_lists.back(kProbation) != kNoObject ? m_lists.back(kProbation) : m_lists.back(kProtected);
            if (count <= m_sketch.estimate(other))
                return drop(object);
            drop(other);
        }
        m_lists.moveTo(kProbation, object);
    }
    std::uint64_t m_capacity;
    TinySettings m_settings;
    double m_share;
    std::uint64_t m_window = 1, m_protected = 0;
    ObjectLists m_lists{3};
    CountSketch m_sketch;
    Climber m_climber;
};
} // namespace

Method wTinyLfuMethod()
{
    Method method;
    method.declaration = {
        .id = "cache.w-tinylfu",
        .lab = "cache",
        .title = "W-TinyLFU",
        .reference = "Einziger, Friedman, Manes 2017: newcomers in a window, the main part for those asked for more often than who would leave; the window climbs (Einziger et al. 2018)",
        .schema = ParameterSchema({
            {.name = "window", .title = "Window", .type = ParameterType::Real, .defaultValue = 0.01, .minimum = 0, .maximum = 0.8, .help = "Share of the cache at the start; one object at least"},
            {.name = "protected", .title = "Protected", .type = ParameterType::Real, .defaultValue = 0.8, .minimum = 0, .maximum = 1, .help = "Share of the main part for those that were asked for again"},
            {.name = "climb", .title = "Move the window", .type = ParameterType::Boolean, .defaultValue = true, .help = "Hill climbing on the hit ratio"},
        })};
    method.policy = [](const PolicyInputs& inputs, const Parameters& given) {
        const Parameters parameters = wTinyLfuMethod().declaration.schema.complete(given);
        return std::make_unique<WTinyLfu>(inputs.capacity, inputs.holds(), TinySettings{parameters.real("window"), parameters.real("protected"), parameters.boolean("climb")});
    };
    return method;
}

} // namespace tamis::cache
