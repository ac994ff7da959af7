// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/hierarchy/level_stack.h"

#include "core/base/error.h"
#include "core/base/memory_estimate.h"

#include <utility>

namespace tamis::hierarchy {
namespace {
constexpr std::uint64_t kBytesAnObject = 9;        ///< and level: held, size, dirty
constexpr std::uint64_t kPolicyBytesAnObject = 32; ///< and level: links and counters of most policies
constexpr std::uint32_t kStretch = 65536;          ///< objects between looks at the stop
} // namespace

LevelStack::LevelStack(std::vector<cache::PolicyPtr> policies, Inclusion inclusion, WritePolicy writes) : m_inclusion(inclusion), m_writePolicy(writes)
{
    if (policies.empty())
        throw Error(ErrorCode::InvalidParameter, "found no level, expected one with a capacity", "levels");
    m_levels.resize(policies.size());
    for (std::size_t i = 0; i < policies.size(); ++i) {
        if (inclusion != Inclusion::NonInclusive && !policies[i]->canErase())
            throw Error(ErrorCode::InvalidParameter, "found a policy that cannot give up an object, expected one that can (least recently used, FIFO, Clock, SIEVE, segmented, LFU, LRU-K, GDSF, random) or non-inclusive levels",
                        "level " + std::to_string(i + 1));
        Level& level = m_levels[i];
        level.policy = std::move(policies[i]);
        level.policy->watchEvictions([&level](std::uint32_t object) { level.leaving.push_back(object); }); // m_levels does not grow
    }
}

void LevelStack::know(std::size_t objects)
{
    const std::uint64_t each = m_levels.size() * (kBytesAnObject + kPolicyBytesAnObject);
    requireMemory(objects > UINT64_MAX / each ? UINT64_MAX : objects * each, "levels that know " + std::to_string(objects) + " objects");
    for (Level& level : m_levels) {
        level.policy->know(objects);
        if (objects > level.held.size()) {
            level.held.resize(objects);
            level.sizes.resize(objects);
            level.dirty.resize(objects);
        }
    }
}

int LevelStack::find(std::uint32_t object) const noexcept
{
    for (std::size_t i = 0; i < m_levels.size(); ++i)
        if (m_levels[i].held[object] != 0)
            return static_cast<int>(i);
    return kNowhere;
}

// One level ------------------------------------------------------------------------------------------------------------------

/// A hit, for the policy's sake.
void LevelStack::touch(std::size_t level, std::uint32_t object, std::uint32_t size)
{
    m_levels[level].leaving.clear();
    m_levels[level].policy->request({.object = object, .size = size});
    settle(level);
}

/// Whether it was taken in. What had to leave is in `leaving`: settle() is the caller's. Policies do not say whether they took an object: their
/// bytes do.
bool LevelStack::insert(std::size_t at, std::uint32_t object, std::uint32_t size)
{
    Level& level = m_levels[at];
    level.leaving.clear();
    const std::uint64_t before = level.policy->occupied();
    level.policy->request({.object = object, .size = size});
    std::uint64_t freed = 0;
    bool self = false;
    for (const std::uint32_t gone : level.leaving) {
        self = self || gone == object;
        freed += gone == object ? 0 : level.sizes[gone];
    }
    if (self)
        std::erase(level.leaving, object);
    else if (level.policy->occupied() + freed == before + size) {
        level.held[object] = 1;
        level.sizes[object] = size;
        return true;
    }
    return false;
}

void LevelStack::takeOut(std::size_t level, std::uint32_t object)
{
    m_levels[level].held[object] = 0;
    m_levels[level].dirty[object] = 0;
    if (level == 0 && m_watch)
        m_watch(object);
}

void LevelStack::makeDirty(Level& level, std::uint32_t object, std::uint32_t bytes)
{
    m_writes.coalescedBytes += level.dirty[object];
    level.dirty[object] = bytes;
}

/// Where evicted objects go. Only levels below are filled by it, so `leaving` stays as it is meanwhile.
void LevelStack::settle(std::size_t level)
{
    for (const std::uint32_t object : m_levels[level].leaving)
        leave(level, object);
    m_levels[level].leaving.clear();
}

void LevelStack::leave(std::size_t level, std::uint32_t object)
{
    Level& from = m_levels[level];
    Dirty dirty{level, from.dirty[object]};
    takeOut(level, object);
    if (m_inclusion == Inclusion::Inclusive)
        dirty = invalidateAbove(level, object, dirty.bytes);
    ++from.traffic.evictions;
    from.traffic.dirtyEvictions += dirty.bytes > 0 ? 1U : 0U;
    if (m_inclusion == Inclusion::Exclusive)
        moveDown(level, object, from.sizes[object], dirty.bytes);
    else if (dirty.bytes > 0)
        writeDown(level, object, from.sizes[object], dirty);
}

/// The newest write of it, in `level` (`dirty`) or above, where it is no longer held afterwards.
LevelStack::Dirty LevelStack::invalidateAbove(std::size_t level, std::uint32_t object, std::uint32_t dirty)
{
    Dirty newest{level, dirty};
    for (std::size_t above = level; above-- > 0;) {
        Level& each = m_levels[above];
        if (each.held[object] == 0)
            continue;
        if (each.dirty[object] > 0) {
            m_writes.coalescedBytes += newest.bytes;
            newest = {above, each.dirty[object]};
        }
        each.policy->erase(object);
        ++each.traffic.invalidations;
        takeOut(above, object);
    }
    return newest;
}

/// Exclusive: to the next level that takes it.
void LevelStack::moveDown(std::size_t from, std::uint32_t object, std::uint32_t size, std::uint32_t dirty)
{
    for (std::size_t level = from + 1; level < m_levels.size(); ++level) {
        const bool taken = insert(level, object, size);
        if (taken) {
            m_levels[from].traffic.readBytes += size;
            (dirty > 0 ? m_levels[level].traffic.writeBackBytes : m_levels[level].traffic.movedDownBytes) += size;
            m_levels[level].dirty[object] = dirty;
        }
        settle(level);
        if (taken)
            return;
    }
    if (dirty > 0) {
        m_levels[from].traffic.readBytes += size;
        m_writes.backingBytes += dirty;
    }
}

/// What was written, to the next level behind `from` that has it or takes it; read from where it was.
void LevelStack::writeDown(std::size_t from, std::uint32_t object, std::uint32_t size, Dirty dirty)
{
    m_levels[dirty.level].traffic.readBytes += dirty.bytes;
    for (std::size_t at = from + 1; at < m_levels.size(); ++at) {
        Level& level = m_levels[at];
        const bool had = level.held[object] != 0;
        const bool has = had || insert(at, object, size);
        if (has) {
            makeDirty(level, object, dirty.bytes);
            level.traffic.writeBackBytes += dirty.bytes;
        }
        if (!had)
            settle(at);
        if (has)
            return;
    }
    m_writes.backingBytes += dirty.bytes;
}

// Between levels -------------------------------------------------------------------------------------------------------------

/// Copies into the levels above `from` (kNowhere: all), the lowest first.
void LevelStack::bringUp(int from, std::uint32_t object, std::uint32_t size)
{
    for (int at = from == kNowhere ? static_cast<int>(m_levels.size()) - 1 : from - 1; at >= 0; --at) {
        const auto level = static_cast<std::size_t>(at);
        const bool inclusive = m_inclusion == Inclusion::Inclusive;
        if (inclusive && level + 1 < m_levels.size() && m_levels[level + 1].held[object] == 0)
            return; // not taken below
        const bool taken = insert(level, object, size);
        if (taken)
            m_levels[level].traffic.fillBytes += size;
        settle(level);
    }
}

/// Exclusive: to the nearest level that takes it, out of the one that had it, before what had to leave goes down.
void LevelStack::moveUp(int from, std::uint32_t object, std::uint32_t size)
{
    const std::size_t below = from == kNowhere ? m_levels.size() : static_cast<std::size_t>(from);
    for (std::size_t level = 0; level < below; ++level) {
        if (!insert(level, object, size)) {
            settle(level);
            continue;
        }
        m_levels[level].traffic.fillBytes += size;
        if (from != kNowhere) {
            m_levels[level].dirty[object] = m_levels[below].dirty[object];
            m_levels[below].policy->erase(object);
            takeOut(below, object);
        }
        settle(level);
        return;
    }
    if (from != kNowhere)
        touch(below, object, size);
}

int LevelStack::read(std::uint32_t object, std::uint32_t size)
{
    const int from = find(object);
    if (from != kNowhere)
        m_levels[static_cast<std::size_t>(from)].traffic.readBytes += size;
    if (m_inclusion == Inclusion::Exclusive && from != 0) {
        moveUp(from, object, size);
        return from;
    }
    if (from != kNowhere)
        touch(static_cast<std::size_t>(from), object, size);
    if (from != 0)
        bringUp(from, object, size);
    return from;
}

int LevelStack::write(std::uint32_t object, std::uint32_t size)
{
    const int from = find(object);
    if (m_inclusion == Inclusion::Exclusive && from != 0)
        moveUp(from, object, size);
    else {
        if (from != kNowhere)
            touch(static_cast<std::size_t>(from), object, size);
        if (from != 0)
            bringUp(from, object, size);
    }
    m_writes.writtenBytes += size;
    const int at = find(object);
    if (m_writePolicy == WritePolicy::Through) {
        for (Level& level : m_levels)
            level.traffic.storeBytes += level.held[object] != 0 ? size : 0;
        m_writes.backingBytes += size;
    } else if (at == kNowhere) {
        m_writes.backingBytes += size;
    } else {
        Level& nearest = m_levels[static_cast<std::size_t>(at)];
        makeDirty(nearest, object, size);
        nearest.traffic.storeBytes += size;
    }
    return from;
}

void LevelStack::flush(const RunContext& context)
{
    for (std::uint32_t object = 0; object < m_levels.front().held.size(); ++object) {
        if (object % kStretch == 0)
            context.throwIfStopped();
        bool newest = true; // the nearest is
        for (Level& level : m_levels) {
            const std::uint32_t dirty = std::exchange(level.dirty[object], 0U);
            if (dirty == 0)
                continue;
            (newest ? m_writes.backingBytes : m_writes.coalescedBytes) += dirty;
            m_writes.flushBytes += newest ? dirty : 0;
            level.traffic.readBytes += newest ? dirty : 0;
            newest = false;
        }
    }
}

std::uint64_t LevelStack::dirtyBytes() const noexcept
{
    std::uint64_t bytes = 0;
    for (const Level& level : m_levels)
        for (const std::uint32_t dirty : level.dirty)
            bytes += dirty;
    return bytes;
}

} // namespace tamis::hierarchy
