// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What the fleet lab produces and its page shows: several devices that share what they computed. Plain values; times in seconds. The ring, gossip and
// the tiers are models for planning; RemoteReport is measured.
#include "core/base/parameter_schema.h"
#include "core/report/model_report.h"

#include <cstdint>
#include <string>
#include <vector>

namespace tamis::report {

/// How one rule of placement spreads what is asked for.
struct PlacementLoad {
    std::string rule;                 ///< "ring", "rendezvous", "modulo"
    std::vector<std::uint64_t> keys;     ///< [devices] whose first holder it is
    std::vector<std::uint64_t> requests; ///< [devices] that it answered, replicas of hot keys included
    std::vector<std::uint64_t> hits;     ///< [devices] of those
    double keySpread = kNotMeasured;     ///< standard deviation of keys over their mean
    double maxOverMean = kNotMeasured;   ///< of requests
    double movedOnLeave = kNotMeasured, movedOnJoin = kNotMeasured; ///< share of the keys whose first holder is another one
    double hitRatio = kNotMeasured;
};

struct SpreadPoint {
    int virtualNodes = 0;
    double measured = kNotMeasured; ///< keySpread of the ring with so many, mean over `rings`
    double deviation = kNotMeasured;
    double expected = kNotMeasured; ///< sqrt((n - 1) / (n v + 1)), and what drawing so many keys adds
};

struct HotKey {
    std::string id;
    double share = 0;          ///< of the requests
    std::uint64_t atRequest = 0; ///< that it was found at
};

struct RingReport {
    int devices = 0, virtualNodes = 0, replicas = 0;
    std::vector<PlacementLoad> placements; ///< the ring first
    double idealLeave = kNotMeasured, idealJoin = kNotMeasured; ///< 1/n, 1/(n + 1)
    std::vector<SpreadPoint> spread;       ///< ascending virtual nodes
    std::vector<HotKey> hot;               ///< most asked for first
    double maxOverMeanWithoutHot = kNotMeasured; ///< of the ring, hot keys treated as others
    double pooledHitRatio = kNotMeasured;  ///< one cache with all the room
    double scatteredHitRatio = kNotMeasured; ///< any device asked, each its own cache: no placement
    std::vector<double> ringWindows, moduloWindows; ///< hit ratio by stretches of the trace; a device leaves at the middle
};

struct GossipReport {
    int devices = 0;
    std::string mode;
    double meanRounds = kNotMeasured, deviation = kNotMeasured, p95Rounds = kNotMeasured; ///< until all know, over the trials
    double exactRounds = kNotMeasured;   ///< of the Markov chain; not a number: too many devices
    double theoryRounds = kNotMeasured;  ///< log2 n + ln n (push), log2 n + log2 ln n (pull), log3 n + log2 ln n (push-pull): large n, one call a round, no loss
    double log2 = kNotMeasured;
    std::vector<double> informed;        ///< [round] mean share that knows, from round 0
    std::vector<double> exactInformed;   ///< the chain's; empty: too many devices
    double messagesPerDevice = kNotMeasured; ///< until all know
    struct Staleness {
        double interval = 0;             ///< seconds between updates
        double measured = kNotMeasured;  ///< share of reads that got an older version, simulated
        double expected = kNotMeasured;  ///< from `informed`
    };
    std::vector<Staleness> staleness;    ///< ascending intervals
};

/// a + b x bytes.
struct LatencyLine {
    double seconds = kNotMeasured, secondsPerByte = kNotMeasured;
    double worst = kNotMeasured; ///< largest relative error at the points that it was fitted to
    double at(double bytes) const { return seconds + secondsPerByte * bytes; }
};

struct TransferSize {
    std::string name;              ///< "f32", "f16", "int8", "delta"
    double bytes = 0;
    double error = kNotMeasured;   ///< relative, of the features that arrive; not a number: not measured
    bool measured = false;         ///< on features of the model; false: from their number, or assumed
};

/// One tier with one form of transfer: fetch only where that is faster than computing again.
struct TierFetch {
    std::string tier, transfer;
    double bytes = 0, seconds = kNotMeasured;
    bool worthwhile = false;       ///< seconds < recomputing
    double breakEvenBytes = kNotMeasured;     ///< at which both take as long; below 0: never
    double breakEvenLatency = kNotMeasured;   ///< of the tier's, for these bytes
    double breakEvenBandwidth = kNotMeasured; ///< bytes a second; not a number: no bandwidth suffices
};

struct TierShare {
    std::string tier;
    double share = 0;              ///< of the requests that find it there first
    double seconds = kNotMeasured; ///< to have it, by the rule: fetched or computed again, whichever is faster
};

struct EdgeCloudReport {
    double encodeSeconds = kNotMeasured;
    bool encodeMeasured = false;
    double featureBytes = 0;                ///< f32
    std::vector<TransferSize> transfers;
    std::vector<TierFetch> fetches;
    std::vector<LatencyLine> lines;         ///< [tiers] device, edge, cloud: what is drawn against bytes
    std::vector<std::string> tiers;         ///< [tiers]
    std::string transfer;                   ///< that is chosen
    std::vector<TierShare> shares;          ///< of the trace; the last: computed for the first time
    double meanSeconds = kNotMeasured;      ///< a request, by the rule
    double alwaysFetchSeconds = kNotMeasured; ///< a request where whatever is stored is fetched
    double speedUp = kNotMeasured;          ///< encodeSeconds / meanSeconds
};

struct RemoteLatencyRow {
    std::uint64_t bytes = 0; ///< of the value
    double putP50 = kNotMeasured, putP95 = kNotMeasured, putP99 = kNotMeasured;
    double getP50 = kNotMeasured, getP95 = kNotMeasured, getP99 = kNotMeasured;
};

struct RemotePass {
    std::string name;
    std::uint64_t samples = 0, fetched = 0, computed = 0;
    double seconds = 0;
    bool sameAnswers = false; ///< as computed without a store: bit for bit with f32, the same top class otherwise
};

struct RemoteTransfer {
    std::string name;
    std::uint64_t bytes = 0;          ///< a sample
    double relativeError = kNotMeasured; ///< of the features
    double sameTopClass = kNotMeasured;  ///< share of the samples
};

struct RemoteReport {
    std::string server, transfer;
    bool reached = false;             ///< at the beginning
    bool degraded = false;            ///< at the end
    std::vector<RemoteLatencyRow> latencies;
    LatencyLine get, put;
    std::vector<RemotePass> passes;
    std::vector<RemoteTransfer> transfers;
    double encodeP50 = kNotMeasured, fetchP50 = kNotMeasured; ///< of one sample
    double breakEvenBytes = kNotMeasured; ///< at which a fetch takes as long as encoding
    std::uint64_t hits = 0, localHits = 0, misses = 0, refused = 0, delivered = 0, redelivered = 0, dropped = 0, waiting = 0;
    std::vector<std::string> notices; ///< in their order
};

/// One method's run: one of the parts holds.
struct FleetReport {
    std::string method, trace, model, samples;
    Parameters parameters; ///< complete
    std::uint64_t requests = 0, objects = 0;
    bool hasRing = false, hasGossip = false, hasEdgeCloud = false, hasRemote = false;
    RingReport ring;
    GossipReport gossip;
    EdgeCloudReport edgeCloud;
    RemoteReport remote; ///< beside edgeCloud where a server was measured for its line
    std::vector<std::string> warnings;
    double seconds = 0;
};

} // namespace tamis::report
