// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What a hierarchy of caches in front of an encoder saves. Plain values. Times in nanoseconds, energy in picojoules, of one device that waits for
// every request; level 0 is the nearest.
#include "core/base/parameter_schema.h"
#include "core/report/model_report.h"

#include <cstdint>
#include <string>
#include <vector>

namespace tamis::report {

struct HierarchyLevel {
    std::string name, place, policy;         ///< "L1", "on-chip", "cache.lru"
    std::uint64_t capacity = 0;              ///< bytes
    double timeNs = 0, energyPj = 0, bandwidth = 0; ///< a look-up; a byte read or written; bytes a nanosecond
    std::uint64_t reads = 0, hits = 0;       ///< reads that reached it, that it served
    double hitRatio = kNotMeasured;          ///< of all reads
    double localHitRatio = kNotMeasured;     ///< of those that reached it
    double hitNs = kNotMeasured;             ///< of a hit of mean size, the look-ups above it included
    bool pays = false;                       ///< hitNs is below the time of recomputing
    double spentNs = 0, spentPj = 0;         ///< its part of the whole: look-ups and transfers; reads and writes
    std::uint64_t readBytes = 0;             ///< out of it: hits, and what moves to other levels
    std::uint64_t fillBytes = 0;             ///< into it, from below or as they were made
    std::uint64_t movedDownBytes = 0;        ///< into it, clean, evicted above (exclusive)
    std::uint64_t writeBackBytes = 0;        ///< into it, dirty, evicted above
    std::uint64_t storeBytes = 0;            ///< into it, by requests that write
    std::uint64_t evictions = 0, dirtyEvictions = 0, invalidations = 0; ///< invalidations: gone because a lower level evicted it
    std::uint64_t held = 0, heldBytes = 0;   ///< at the end
};

struct PrefetchOutcome {
    std::string kind = "none";
    std::uint64_t asked = 0;                 ///< by the predictor
    std::uint64_t redundant = 0, absent = 0, refused = 0; ///< in the first level already; in no level, and so not fetched; the first level did not take it
    std::uint64_t issued = 0;                ///< fetched into the first level; asked = redundant + absent + refused + issued
    std::uint64_t useful = 0;                ///< read there before they left
    std::uint64_t late = 0;                  ///< useful ones that were still under way
    std::uint64_t unused = 0;                ///< left, were overwritten, or were there at the end, unread; issued = useful + unused
    std::uint64_t pollution = 0;             ///< fetches that pushed out something that was missed before they were read
    double waitedNs = 0;                     ///< for late ones
    double accuracy = kNotMeasured;          ///< useful / issued
    double coverage = kNotMeasured;          ///< useful / (useful + reads that missed the first level)
    double lateness = kNotMeasured;          ///< late / useful
};

/// Features stored in a type, read back.
struct FeatureType {
    std::string type;                        ///< "f32", "f16", "int8"
    std::uint64_t bytes = 0;                 ///< one object
    double relativeError = kNotMeasured;     ///< |x - x'| / |x| over all features
    double kl = kNotMeasured, agreement = kNotMeasured; ///< of the output on the last features read back: nats; share of frames with the same class
};

struct HierarchyReport {
    std::string method, source, model;       ///< model: of features alone
    Parameters parameters;
    std::string inclusion, writes, type;
    std::uint64_t requests = 0, reads = 0, writeRequests = 0, objects = 0, workingSet = 0; ///< workingSet: bytes
    bool whole = true;                       ///< false: the first requests of the stream alone
    std::vector<HierarchyLevel> levels;
    std::uint64_t misses = 0;                ///< reads that are recomputed
    double hitRatio = kNotMeasured, compulsory = kNotMeasured; ///< of reads; first reads of what nobody wrote before
    // Where the time goes. totalNs = sum of the levels' spentNs + recomputeNs + waitedNs.
    double totalNs = 0, recomputeNs = 0, waitedNs = 0;
    double amat = kNotMeasured;              ///< totalNs / requests
    double amatNested = kNotMeasured;        ///< t1 + m1 (t2 + m2 (t3 + m3 t)), with transfers and waiting
    double amatClosed = kNotMeasured;        ///< h1 T1 + h2 T2 + h3 T3 + m T, with waiting
    double encodeNs = 0;                     ///< of one object
    bool encodeMeasured = false;
    double speedUp = kNotMeasured;           ///< all reads recomputed (writes as they are) over totalNs
    double speedUpFormula = kNotMeasured;    ///< 1 / (1 - h + h t_hit / t_miss)
    double breakEvenNs = kNotMeasured;       ///< of recomputing: the hierarchy pays above it
    // Energy.
    double totalPj = 0, recomputePj = 0, energyShare = kNotMeasured; ///< share: of recomputing all reads
    // Writes.
    std::uint64_t writtenBytes = 0, coalescedBytes = 0, backingBytes = 0, flushBytes = 0; ///< written = coalesced + backing; flush: the part of backing at the end
    PrefetchOutcome prefetch;
    std::vector<FeatureType> types;          ///< of real features alone
    double reuseError = kNotMeasured;        ///< relative: features of the first frame with a key in place of a later one's
    std::vector<std::string> warnings;
    double seconds = 0;
};

} // namespace tamis::report
