// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/hierarchy/simulate.h"

#include "core/base/memory_estimate.h"

#include <algorithm>
#include <cmath>

namespace tamis::hierarchy {
namespace {
constexpr std::size_t kStretch = 4096; ///< requests between looks at the stop
constexpr std::uint32_t kNoFetch = 0xFFFFFFFFU;
constexpr double kPjPerNj = 1000;

double ratio(double part, double whole) { return whole > 0 ? part / whole : report::kNotMeasured; }

/// One prefetch that was fetched.
struct Fetch {
    double ready = 0, takes = 0; ///< on the clock; as a read of its own would
    std::uint32_t users = 0; ///< objects that it is the last fetch of, or pushed out
    bool wanted = false;     ///< the object was requested since
    bool polluted = false;   ///< counted
};

/// Fetches that something still asks about. Places are used again.
class Fetches {
public:
    static constexpr std::uint64_t kMostAnObject = 2; ///< its last, and the one that pushed it out
    static constexpr std::uint64_t kBytesEach = sizeof(Fetch) + sizeof(std::uint32_t);
    Fetch& operator[](std::uint32_t place) { return m_all[place]; }
    std::uint32_t add(const Fetch& fetch)
    {
        if (m_free.empty()) {
            m_all.push_back(fetch);
            return static_cast<std::uint32_t>(m_all.size() - 1);
        }
        const std::uint32_t place = m_free.back();
        m_free.pop_back();
        m_all[place] = fetch;
        return place;
    }
    /// `user` stands for `place` (kNoFetch: none) from now on.
    void let(std::uint32_t& user, std::uint32_t place)
    {
        if (place != kNoFetch)
            ++m_all[place].users;
        if (user != kNoFetch && --m_all[user].users == 0)
            m_free.push_back(user);
        user = place;
    }

private:
    std::vector<Fetch> m_all;
    std::vector<std::uint32_t> m_free;
};

class Simulation {
public:
    Simulation(const RequestStream& stream, LevelStack& stack, const SimulationSettings& settings)
        : m_stream(stream), m_stack(stack), m_settings(settings), m_served(stack.levels()), m_servedBytes(stack.levels())
    {
        double sum = 0;
        for (const LevelCosts& each : settings.costs)
            m_lookUps.push_back(sum += each.timeNs);
        m_prefetches = settings.prefetch && !settings.prefetch->empty();
        constexpr std::uint64_t kBytesAnObject = 1 + 2 * sizeof(std::uint32_t) + Fetches::kMostAnObject * Fetches::kBytesEach;
        requireMemory(stream.ids.size() * (m_prefetches ? kBytesAnObject : 1), "requests for " + std::to_string(stream.ids.size()) + " objects");
        stack.know(stream.ids.size());
        if (m_prefetches) {
            m_pending.assign(stream.ids.size(), 0);
            m_last.assign(stream.ids.size(), kNoFetch);
            m_pushedOutBy.assign(stream.ids.size(), kNoFetch);
            stack.watchNearest([this](std::uint32_t object) { left(object); });
        }
    }
    ~Simulation() { m_stack.watchNearest({}); }
    Simulation(const Simulation&) = delete;
    Simulation& operator=(const Simulation&) = delete;

    void run(report::HierarchyReport& report, const RunContext& context)
    {
        const std::size_t count = m_settings.limit > 0 ? std::min(m_settings.limit, m_stream.requests()) : m_stream.requests();
        std::vector<bool> seen(m_stream.ids.size(), false);
        std::uint64_t first = 0;
        for (std::size_t i = 0; i < count; ++i) {
            if (i % kStretch == 0) {
                context.throwIfStopped();
                context.setFraction(static_cast<double>(i) / static_cast<double>(count));
            }
            const std::uint32_t object = m_stream.objects[i], size = m_stream.sizes.empty() ? m_settings.objectBytes : m_stream.sizes[i];
            const bool write = !m_stream.writes.empty() && m_stream.writes[i] != 0;
            if (!seen[object]) {
                seen[object] = true;
                ++report.objects;
                report.workingSet += size;
                first += write ? 0U : 1U;
            }
            write ? this->write(object, size) : read(object, size);
            if (m_prefetches && !write)
                prefetch(i, object, size);
        }
        report.requests = count;
        report.whole = count == m_stream.requests();
        report.reads = count - m_writes;
        report.writeRequests = m_writes;
        report.misses = m_misses;
        report.compulsory = ratio(static_cast<double>(first), static_cast<double>(report.reads));
        m_stack.flush(context);
        fill(report);
    }

private:
    double transferNs(std::size_t level, std::uint32_t size) const { return static_cast<double>(size) / m_settings.costs[level].bandwidth; }
    /// Of a read that `level` serves (kNowhere: none).
    double readNs(int level, std::uint32_t size) const
    {
        return level == LevelStack::kNowhere ? m_lookUps.back() + m_settings.encodeNs : m_lookUps[static_cast<std::size_t>(level)] + transferNs(static_cast<std::size_t>(level), size);
    }
    void write(std::uint32_t object, std::uint32_t size)
    {
        if (m_prefetches)
            noteWrite(object);
        m_stack.write(object, size);
        ++m_writes;
        m_writeBytes += size;
        m_clock += m_lookUps[0] + transferNs(0, size);
    }
    void read(std::uint32_t object, std::uint32_t size)
    {
        if (m_prefetches)
            noteRead(object, size);
        const int level = m_stack.read(object, size);
        if (level == LevelStack::kNowhere) {
            ++m_misses;
        } else {
            ++m_served[static_cast<std::size_t>(level)];
            m_servedBytes[static_cast<std::size_t>(level)] += size;
        }
        m_clock += readNs(level, size);
    }

    // Prefetches ---------------------------------------------------------------------------------------------------------
    /// Before an object is read.
    void noteRead(std::uint32_t object, std::uint32_t size)
    {
        if (m_last[object] != kNoFetch)
            m_fetches[m_last[object]].wanted = true;
        if (m_pending[object] != 0) { // in the first level, unread so far
            const Fetch& fetch = m_fetches[m_last[object]];
            m_pending[object] = 0;
            ++m_outcome.useful;
            const double own = std::max(0.0, fetch.takes - readNs(0, size));
            if (const double waits = std::min(fetch.ready - m_clock, own); waits > 0) {
                ++m_outcome.late;
                m_outcome.waitedNs += waits;
                m_clock += waits;
            }
        } else if (!m_stack.holds(0, object)) {
            const std::uint32_t by = m_pushedOutBy[object];
            if (by != kNoFetch && !m_fetches[by].wanted && !m_fetches[by].polluted) {
                m_fetches[by].polluted = true;
                ++m_outcome.pollution;
            }
            m_fetches.let(m_pushedOutBy[object], kNoFetch);
        }
    }
    /// A write of the whole object makes what was fetched of it worthless.
    void noteWrite(std::uint32_t object)
    {
        if (m_last[object] != kNoFetch)
            m_fetches[m_last[object]].wanted = true;
        noteUnused(object);
        m_fetches.let(m_pushedOutBy[object], kNoFetch);
    }
    void left(std::uint32_t object)
    {
        noteUnused(object);
        m_fetches.let(m_pushedOutBy[object], m_fetching);
    }
    void noteUnused(std::uint32_t object)
    {
        m_outcome.unused += m_pending[object];
        m_pending[object] = 0;
    }
    void prefetch(std::size_t request, std::uint32_t from, std::uint32_t size)
    {
        for (const std::uint32_t object : m_settings.prefetch->at(request, from)) {
            if (object == cache::kNever)
                continue;
            ++m_outcome.asked;
            const int level = m_stack.find(object);
            if (level == 0) {
                ++m_outcome.redundant;
            } else if (level == LevelStack::kNowhere && !m_settings.prefetchMissing) {
                ++m_outcome.absent;
            } else {
                fetch(object, level, sizeOf(object, size));
            }
        }
    }
    void fetch(std::uint32_t object, int level, std::uint32_t size)
    {
        const double takes = readNs(level, size), ready = std::max(m_channel, m_clock) + takes;
        m_fetches.let(m_fetching, m_fetches.add({.ready = ready, .takes = takes}));
        m_stack.read(object, size);
        m_madeAhead += level == LevelStack::kNowhere ? 1U : 0U;
        if (m_stack.holds(0, object)) {
            m_channel = ready;
            ++m_outcome.issued;
            m_pending[object] = 1;
            m_fetches.let(m_last[object], m_fetching);
            m_fetches.let(m_pushedOutBy[object], kNoFetch);
        } else {
            ++m_outcome.refused;
        }
        m_fetches.let(m_fetching, kNoFetch);
    }
    /// Streams with sizes: of the object's last request so far, or of the one at hand where there was none.
    std::uint32_t sizeOf(std::uint32_t object, std::uint32_t fallback)
    {
        if (m_stream.sizes.empty())
            return m_settings.objectBytes;
        for (std::size_t level = 0; level < m_stack.levels(); ++level)
            if (m_stack.holds(level, object))
                return m_stack.sizeHeld(level, object);
        return fallback;
    }

    // What is reported ---------------------------------------------------------------------------------------------------
    void fill(report::HierarchyReport& report)
    {
        report.levels.resize(m_stack.levels());
        fillLevels(report);
        fillTimes(report);
        fillWrites(report);
        if (m_prefetches)
            fillPrefetch(report);
    }
    void fillLevels(report::HierarchyReport& report) const
    {
        std::uint64_t reaching = report.reads, hits = 0;
        for (std::size_t i = 0; i < m_stack.levels(); ++i) {
            report::HierarchyLevel& level = report.levels[i];
            const LevelTraffic& traffic = m_stack.traffic(i);
            level.timeNs = m_settings.costs[i].timeNs;
            level.energyPj = m_settings.costs[i].energyPj;
            level.bandwidth = m_settings.costs[i].bandwidth;
            level.reads = reaching;
            level.hits = m_served[i];
            level.hitRatio = ratio(static_cast<double>(level.hits), static_cast<double>(report.reads));
            level.localHitRatio = ratio(static_cast<double>(level.hits), static_cast<double>(reaching));
            const double meanBytes = level.hits > 0 ? static_cast<double>(m_servedBytes[i]) / static_cast<double>(level.hits) : meanObject(report);
            level.hitNs = m_lookUps[i] + meanBytes / level.bandwidth;
            level.pays = level.hitNs < m_settings.encodeNs;
            const std::uint64_t writes = i == 0 ? m_writes : 0, writeBytes = i == 0 ? m_writeBytes : 0;
            level.spentNs = static_cast<double>(reaching + writes) * level.timeNs + static_cast<double>(m_servedBytes[i] + writeBytes) / level.bandwidth;
            level.spentPj = static_cast<double>(traffic.readBytes + traffic.writtenInto()) * level.energyPj;
            level.readBytes = traffic.readBytes;
            level.fillBytes = traffic.fillBytes;
            level.movedDownBytes = traffic.movedDownBytes;
            level.writeBackBytes = traffic.writeBackBytes;
            level.storeBytes = traffic.storeBytes;
            level.evictions = traffic.evictions;
            level.dirtyEvictions = traffic.dirtyEvictions;
            level.invalidations = traffic.invalidations;
            level.heldBytes = m_stack.policy(i).occupied();
            level.held = m_stack.policy(i).contents().size();
            reaching -= level.hits;
            hits += level.hits;
        }
        report.hitRatio = ratio(static_cast<double>(hits), static_cast<double>(report.reads));
    }
    static double meanObject(const report::HierarchyReport& report) { return report.objects > 0 ? static_cast<double>(report.workingSet) / static_cast<double>(report.objects) : 0; }
    void fillTimes(report::HierarchyReport& report) const
    {
        const double requests = static_cast<double>(report.requests), reads = static_cast<double>(report.reads), misses = static_cast<double>(m_misses);
        report.encodeNs = m_settings.encodeNs;
        report.totalNs = m_clock;
        report.recomputeNs = misses * m_settings.encodeNs;
        report.waitedNs = m_outcome.waitedNs;
        report.amat = ratio(m_clock, requests);
        report.amatNested = nested(report) + ratio(m_outcome.waitedNs, requests);
        double closed = misses * readNs(LevelStack::kNowhere, 0) + static_cast<double>(m_writes) * m_lookUps[0] + static_cast<double>(m_writeBytes) / m_settings.costs[0].bandwidth;
        double hitNs = 0;
        for (std::size_t i = 0; i < m_stack.levels(); ++i)
            hitNs += static_cast<double>(m_served[i]) * m_lookUps[i] + static_cast<double>(m_servedBytes[i]) / m_settings.costs[i].bandwidth;
        report.amatClosed = ratio(closed + hitNs + m_outcome.waitedNs, requests);
        const double writeNs = static_cast<double>(m_writes) * m_lookUps[0] + static_cast<double>(m_writeBytes) / m_settings.costs[0].bandwidth;
        report.speedUp = ratio(reads * m_settings.encodeNs + writeNs, m_clock);
        const double hits = reads - misses, h = ratio(hits, reads);
        report.speedUpFormula = hits > 0 ? 1 / (1 - h + h * (hitNs / hits) / m_settings.encodeNs) : reads > 0 ? 1 : report::kNotMeasured;
        // reads * t = everything else + misses * t
        report.breakEvenNs = ratio(m_clock - writeNs - report.recomputeNs, hits);
        report.recomputePj = static_cast<double>(m_misses + m_madeAhead) * m_settings.encodeNs * m_settings.encodeWatt * kPjPerNj;
        report.totalPj = report.recomputePj;
        for (const report::HierarchyLevel& level : report.levels)
            report.totalPj += level.spentPj;
        report.energyShare = ratio(report.totalPj, reads * m_settings.encodeNs * m_settings.encodeWatt * kPjPerNj);
    }
    /// From the last level up; writes are served by the first.
    double nested(const report::HierarchyReport& report) const
    {
        double behind = m_settings.encodeNs, reaching = static_cast<double>(m_misses);
        for (std::size_t i = m_stack.levels(); i-- > 0;) {
            const double served = static_cast<double>(m_served[i] + (i == 0 ? m_writes : 0)), bytes = static_cast<double>(m_servedBytes[i] + (i == 0 ? m_writeBytes : 0));
            const double comes = served + reaching;
            if (comes == 0)
                continue;
            const double transfer = served > 0 ? bytes / served / m_settings.costs[i].bandwidth : 0, missing = reaching / comes;
            behind = m_settings.costs[i].timeNs + (1 - missing) * transfer + missing * behind;
            reaching = comes;
        }
        return report.requests > 0 ? behind : report::kNotMeasured;
    }
    void fillWrites(report::HierarchyReport& report) const
    {
        const WriteTraffic& writes = m_stack.writeTraffic();
        report.writtenBytes = writes.writtenBytes;
        report.coalescedBytes = writes.coalescedBytes;
        report.backingBytes = writes.backingBytes;
        report.flushBytes = writes.flushBytes;
    }
    void fillPrefetch(report::HierarchyReport& report)
    {
        for (const std::uint8_t pending : m_pending)
            m_outcome.unused += pending;
        m_outcome.kind = report.prefetch.kind;
        const auto useful = static_cast<double>(m_outcome.useful);
        m_outcome.accuracy = ratio(useful, static_cast<double>(m_outcome.issued));
        m_outcome.coverage = ratio(useful, useful + static_cast<double>(report.reads - m_served[0]));
        m_outcome.lateness = ratio(static_cast<double>(m_outcome.late), useful);
        report.prefetch = m_outcome;
    }

    const RequestStream& m_stream;
    LevelStack& m_stack;
    const SimulationSettings& m_settings;
    std::vector<double> m_lookUps; ///< [levels] sums
    std::vector<std::uint64_t> m_served, m_servedBytes;
    std::uint64_t m_misses = 0, m_writes = 0, m_writeBytes = 0, m_madeAhead = 0;
    double m_clock = 0, m_channel = 0;
    bool m_prefetches = false;
    Fetches m_fetches;
    std::vector<std::uint8_t> m_pending;      ///< [objects] 1: its last fetch is in the first level, unread
    std::vector<std::uint32_t> m_last;        ///< [objects] the last fetch of it
    std::vector<std::uint32_t> m_pushedOutBy; ///< [objects] the fetch that pushed it out of the first level
    std::uint32_t m_fetching = kNoFetch;      ///< the one that is under way
    report::PrefetchOutcome m_outcome;
};
} // namespace

void simulate(const RequestStream& stream, LevelStack& stack, const SimulationSettings& settings, report::HierarchyReport& report, const RunContext& context)
{
    Simulation(stream, stack, settings).run(report, context);
    context.finish();
}

} // namespace tamis::hierarchy
