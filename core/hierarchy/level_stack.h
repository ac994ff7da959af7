// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Caches one behind the other: what moves between them when an object is read or written.
#include "core/base/run_context.h"
#include "core/cache/policy.h"

#include <cstdint>
#include <functional>
#include <vector>

namespace tamis::hierarchy {

enum class Inclusion {
    Inclusive,   ///< what a level holds is in all below it; what leaves one leaves all above
    Exclusive,   ///< an object is in one level alone; what leaves one goes to the next
    NonInclusive ///< filled on the way up, nothing is enforced
};
enum class WritePolicy {
    Back,   ///< into the nearest level that takes it; goes down when it is evicted
    Through ///< into every level that holds it and down, at once
};

/// Bytes and objects of one level.
struct LevelTraffic {
    std::uint64_t readBytes = 0;      ///< out of it: hits, and what moves to other levels. What a lower level writes down because it forces an object out here is read here
    std::uint64_t fillBytes = 0;      ///< into it, from below or as they were made
    std::uint64_t movedDownBytes = 0; ///< into it, clean, evicted above
    std::uint64_t writeBackBytes = 0; ///< into it, dirty, evicted above
    std::uint64_t storeBytes = 0;     ///< into it, by writes
    std::uint64_t evictions = 0, dirtyEvictions = 0, invalidations = 0; ///< dirty: in it or above
    std::uint64_t writtenInto() const noexcept { return fillBytes + movedDownBytes + writeBackBytes + storeBytes; }
};

/// writtenBytes = coalescedBytes + backingBytes + what is dirty.
struct WriteTraffic {
    std::uint64_t writtenBytes = 0;   ///< by requests
    std::uint64_t coalescedBytes = 0; ///< replaced by a newer write before they went down
    std::uint64_t backingBytes = 0;   ///< behind the last level
    std::uint64_t flushBytes = 0;     ///< of those, by flush()
};

/// Level 0 is the nearest. Objects keep the size that a level took them in with. One that a level does not take (larger than the cache, or not
/// admitted) passes it by; inclusive: then those above, too. Not thread-safe.
class LevelStack {
public:
    static constexpr int kNowhere = -1;
    /// Throws Error{InvalidParameter}: no level; inclusive or exclusive with a policy that cannot give up an object.
    LevelStack(std::vector<cache::PolicyPtr> policies, Inclusion inclusion, WritePolicy writes);
    LevelStack(const LevelStack&) = delete; // policies tell it of evictions
    LevelStack& operator=(const LevelStack&) = delete;

    void know(std::size_t objects); ///< 0 .. objects - 1 may come. Throws Error{OutOfMemory}
    std::size_t levels() const noexcept { return m_levels.size(); }
    /// The nearest level that holds it.
    int find(std::uint32_t object) const noexcept;
    bool holds(std::size_t level, std::uint32_t object) const noexcept { return m_levels[level].held[object] != 0; }
    std::uint32_t sizeHeld(std::size_t level, std::uint32_t object) const noexcept { return m_levels[level].sizes[object]; } ///< where it is held
    /// Serves a read, and brings the object up. Returns the level that had it; kNowhere: it was made anew.
    int read(std::uint32_t object, std::uint32_t size);
    /// A write of the whole object: nothing is fetched. Returns the level that had it before.
    int write(std::uint32_t object, std::uint32_t size);
    /// Writes down all that is dirty; levels keep what they hold. Throws Error{Cancelled}, with the rest still dirty.
    void flush(const RunContext& context = {});
    std::uint64_t dirtyBytes() const noexcept; ///< looks at all objects

    const LevelTraffic& traffic(std::size_t level) const noexcept { return m_levels[level].traffic; }
    const WriteTraffic& writeTraffic() const noexcept { return m_writes; }
    const cache::Policy& policy(std::size_t level) const noexcept { return *m_levels[level].policy; }
    /// Told of every object that leaves level 0, at once.
    void watchNearest(std::function<void(std::uint32_t object)> watch) { m_watch = std::move(watch); }

private:
    struct Level {
        cache::PolicyPtr policy;
        LevelTraffic traffic;
        std::vector<std::uint8_t> held;
        std::vector<std::uint32_t> sizes, dirty; ///< [objects] as taken in; bytes that were written and are not below, 0: clean
        std::vector<std::uint32_t> leaving;      ///< by the policy's last step
    };
    void touch(std::size_t level, std::uint32_t object, std::uint32_t size);
    bool insert(std::size_t level, std::uint32_t object, std::uint32_t size);
    void settle(std::size_t level);
    void leave(std::size_t level, std::uint32_t object);
    void takeOut(std::size_t level, std::uint32_t object);
    /// Bytes that were written and are not below, and the level that holds them.
    struct Dirty {
        std::size_t level = 0;
        std::uint32_t bytes = 0;
    };
    Dirty invalidateAbove(std::size_t level, std::uint32_t object, std::uint32_t dirty);
    void moveDown(std::size_t from, std::uint32_t object, std::uint32_t size, std::uint32_t dirty);
    void writeDown(std::size_t from, std::uint32_t object, std::uint32_t size, Dirty dirty);
    void makeDirty(Level& level, std::uint32_t object, std::uint32_t bytes);
    void bringUp(int from, std::uint32_t object, std::uint32_t size);
    void moveUp(int from, std::uint32_t object, std::uint32_t size);

    std::vector<Level> m_levels;
    Inclusion m_inclusion;
    WritePolicy m_writePolicy;
    WriteTraffic m_writes;
    std::function<void(std::uint32_t)> m_watch;
};

} // namespace tamis::hierarchy
