// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/fleet_json.h"

#include "app/cli/table.h"

#include <nlohmann/json.hpp>

#include <cmath>

namespace tamis::cli {
namespace {
using nlohmann::ordered_json;

ordered_json orNull(double value) { return std::isfinite(value) ? ordered_json(value) : ordered_json(nullptr); }

ordered_json numbers(const std::vector<double>& values)
{
    ordered_json json = ordered_json::array();
    for (const double value : values)
        json.push_back(orNull(value));
    return json;
}

ordered_json lineJson(const report::LatencyLine& line) { return {{"seconds", orNull(line.seconds)}, {"secondsPerByte", orNull(line.secondsPerByte)}, {"worst", orNull(line.worst)}}; }

ordered_json ringJson(const report::RingReport& ring)
{
    ordered_json json{{"devices", ring.devices}, {"virtualNodes", ring.virtualNodes}, {"replicas", ring.replicas}, {"idealLeave", ring.idealLeave}, {"idealJoin", ring.idealJoin},
                      {"maxOverMeanWithoutHot", orNull(ring.maxOverMeanWithoutHot)}, {"pooledHitRatio", orNull(ring.pooledHitRatio)}, {"scatteredHitRatio", orNull(ring.scatteredHitRatio)}};
    json["placements"] = ordered_json::array();
    for (const auto& load : ring.placements)
        json["placements"].push_back({{"rule", load.rule}, {"keys", load.keys}, {"requests", load.requests}, {"hits", load.hits}, {"keySpread", orNull(load.keySpread)}, {"maxOverMean", orNull(load.maxOverMean)},
                                      {"movedOnLeave", orNull(load.movedOnLeave)}, {"movedOnJoin", orNull(load.movedOnJoin)}, {"hitRatio", orNull(load.hitRatio)}});
    json["spread"] = ordered_json::array();
    for (const auto& point : ring.spread)
        json["spread"].push_back({{"virtualNodes", point.virtualNodes}, {"measured", orNull(point.measured)}, {"deviation", orNull(point.deviation)}, {"expected", orNull(point.expected)}});
    json["hot"] = ordered_json::array();
    for (const auto& key : ring.hot)
        json["hot"].push_back({{"id", key.id}, {"share", key.share}, {"atRequest", key.atRequest}});
    json["ringWindows"] = numbers(ring.ringWindows);
    json["moduloWindows"] = numbers(ring.moduloWindows);
    return json;
}

ordered_json gossipJson(const report::GossipReport& gossip)
{
    ordered_json json{{"devices", gossip.devices}, {"mode", gossip.mode}, {"meanRounds", orNull(gossip.meanRounds)}, {"deviation", orNull(gossip.deviation)}, {"p95Rounds", orNull(gossip.p95Rounds)},
                      {"exactRounds", orNull(gossip.exactRounds)}, {"theoryRounds", orNull(gossip.theoryRounds)}, {"log2", orNull(gossip.log2)}, {"messagesPerDevice", orNull(gossip.messagesPerDevice)}};
    json["informed"] = numbers(gossip.informed);
    json["exactInformed"] = numbers(gossip.exactInformed);
    json["staleness"] = ordered_json::array();
    for (const auto& point : gossip.staleness)
        json["staleness"].push_back({{"interval", point.interval}, {"measured", orNull(point.measured)}, {"expected", orNull(point.expected)}});
    return json;
}

ordered_json edgeCloudJson(const report::EdgeCloudReport& edge)
{
    ordered_json json{{"encodeSeconds", orNull(edge.encodeSeconds)}, {"encodeMeasured", edge.encodeMeasured}, {"featureBytes", edge.featureBytes}, {"transfer", edge.transfer}, {"meanSeconds", orNull(edge.meanSeconds)},
                      {"alwaysFetchSeconds", orNull(edge.alwaysFetchSeconds)}, {"speedUp", orNull(edge.speedUp)}};
    for (const char* key : {"transfers", "tiers", "fetches", "shares"})
        json[key] = ordered_json::array();
    for (const auto& transfer : edge.transfers)
        json["transfers"].push_back({{"name", transfer.name}, {"bytes", transfer.bytes}, {"error", orNull(transfer.error)}, {"measured", transfer.measured}});
    for (std::size_t tier = 0; tier < edge.tiers.size(); ++tier)
        json["tiers"].push_back({{"name", edge.tiers[tier]}, {"line", lineJson(edge.lines[tier])}});
    for (const auto& fetch : edge.fetches)
        json["fetches"].push_back({{"tier", fetch.tier}, {"transfer", fetch.transfer}, {"bytes", fetch.bytes}, {"seconds", orNull(fetch.seconds)}, {"worthwhile", fetch.worthwhile},
                                   {"breakEvenBytes", orNull(fetch.breakEvenBytes)}, {"breakEvenLatency", orNull(fetch.breakEvenLatency)}, {"breakEvenBandwidth", orNull(fetch.breakEvenBandwidth)}});
    for (const auto& share : edge.shares)
        json["shares"].push_back({{"tier", share.tier}, {"share", share.share}, {"seconds", orNull(share.seconds)}});
    return json;
}

ordered_json remoteJson(const report::RemoteReport& remote)
{
    ordered_json json{{"server", remote.server}, {"transfer", remote.transfer}, {"reached", remote.reached}, {"degraded", remote.degraded}, {"encodeP50", orNull(remote.encodeP50)}, {"fetchP50", orNull(remote.fetchP50)},
                      {"breakEvenBytes", orNull(remote.breakEvenBytes)}, {"get", lineJson(remote.get)}, {"put", lineJson(remote.put)}};
    json["counters"] = {{"hits", remote.hits}, {"localHits", remote.localHits}, {"misses", remote.misses}, {"refused", remote.refused}, {"delivered", remote.delivered}, {"redelivered", remote.redelivered},
                        {"dropped", remote.dropped}, {"waiting", remote.waiting}};
    for (const char* key : {"latencies", "passes", "transfers"})
        json[key] = ordered_json::array();
    for (const auto& row : remote.latencies)
        json["latencies"].push_back({{"bytes", row.bytes}, {"put", {{"p50", row.putP50}, {"p95", row.putP95}, {"p99", row.putP99}}}, {"get", {{"p50", row.getP50}, {"p95", row.getP95}, {"p99", row.getP99}}}});
    for (const auto& pass : remote.passes)
        json["passes"].push_back({{"name", pass.name}, {"samples", pass.samples}, {"fetched", pass.fetched}, {"computed", pass.computed}, {"seconds", pass.seconds}, {"sameAnswers", pass.sameAnswers}});
    for (const auto& transfer : remote.transfers)
        json["transfers"].push_back({{"name", transfer.name}, {"bytes", transfer.bytes}, {"relativeError", orNull(transfer.relativeError)}, {"sameTopClass", orNull(transfer.sameTopClass)}});
    json["notices"] = remote.notices;
    return json;
}

std::string millis(double seconds) { return std::isfinite(seconds) ? significant(1000 * seconds, 4) + " ms" : "-"; }

std::string ringText(const report::RingReport& ring)
{
    Table table({"placement", "keys, deviation", "requests, max/mean", "moved: one leaves", "one joins", "hit ratio"}, 1);
    for (const auto& load : ring.placements)
        table.add({load.rule, percent(load.keySpread), fixed(load.maxOverMean, 3), percent(load.movedOnLeave, 2), percent(load.movedOnJoin, 2), percent(load.hitRatio, 2)});
    table.add({"ideal", "", "1.000", percent(ring.idealLeave, 2), percent(ring.idealJoin, 2), ""});
    table.add({"one cache", "", "", "", "", percent(ring.pooledHitRatio, 2)});
    table.add({"no placement", "", "", "", "", percent(ring.scatteredHitRatio, 2)});
    Table spread({"virtual nodes", "keys, deviation", "expected"}, 0);
    for (const auto& point : ring.spread)
        spread.add({std::to_string(point.virtualNodes), percent(point.measured, 2), percent(point.expected, 2)});
    std::string text = table.text() + "\n" + spread.text() + "\nhot keys: " + std::to_string(ring.hot.size()) + "; max/mean without their replicas " + fixed(ring.maxOverMeanWithoutHot, 3) + "\n";
    for (const auto& key : ring.hot)
        text += "  " + key.id + ": " + percent(key.share, 2) + " of the requests, found at request " + grouped(key.atRequest) + "\n";
    return text;
}

std::string gossipText(const report::GossipReport& gossip)
{
    Table table({"round", "know", "chain"}, 0);
    for (std::size_t round = 0; round < gossip.informed.size(); ++round)
        table.add({std::to_string(round), percent(gossip.informed[round], 2), round < gossip.exactInformed.size() ? percent(gossip.exactInformed[round], 2) : "-"});
    Table stale({"update every", "stale reads", "expected"}, 0);
    for (const auto& point : gossip.staleness)
        stale.add({significant(point.interval) + " s", percent(point.measured, 2), percent(point.expected, 2)});
    return std::to_string(gossip.devices) + " devices, " + gossip.mode + ": rounds until all know " + fixed(gossip.meanRounds, 3) + " (95 %: " + fixed(gossip.p95Rounds, 0) + "), chain " + fixed(gossip.exactRounds, 3) +
           ", many devices " + fixed(gossip.theoryRounds, 2) + ", log2 n " + fixed(gossip.log2, 2) + "; calls a device " + fixed(gossip.messagesPerDevice, 2) + "\n\n" + table.text() + "\n" + stale.text();
}

std::string edgeCloudText(const report::EdgeCloudReport& edge)
{
    Table table({"tier", "form", "bytes", "fetch", "worth it", "break-even bytes", "latency", "MB/s"}, 2);
    for (const auto& fetch : edge.fetches)
        table.add({fetch.tier, fetch.transfer, grouped(static_cast<std::uint64_t>(fetch.bytes)), millis(fetch.seconds), fetch.worthwhile ? "yes" : "no: compute",
                   fetch.breakEvenBytes > 0 ? significant(fetch.breakEvenBytes) : "never", fetch.breakEvenLatency > 0 ? millis(fetch.breakEvenLatency) : "never", std::isfinite(fetch.breakEvenBandwidth) ? significant(fetch.breakEvenBandwidth / 1e6) : "never"});
    Table shares({"found", "requests", "time"}, 1);
    for (const auto& share : edge.shares)
        shares.add({share.tier, percent(share.share, 2), millis(share.seconds)});
    std::string text = "encoding " + millis(edge.encodeSeconds) + (edge.encodeMeasured ? " (measured)" : " (assumed)") + "; a stored feature is fetched where that is faster\n\n" + table.text() + "\n" + shares.text() + "\na request: " +
                       millis(edge.meanSeconds) + ", " + fixed(edge.speedUp, 2) + " times faster than always computing; always fetching: " + millis(edge.alwaysFetchSeconds) + "\n";
    for (const auto& transfer : edge.transfers)
        if (std::isfinite(transfer.error))
            text += transfer.name + ": " + significant(transfer.bytes) + " bytes, relative error " + significant(transfer.error, 3) + "\n";
    return text;
}

std::string remoteText(const report::RemoteReport& remote)
{
    std::string text = remote.server + (remote.reached ? "" : ": not reached") + (remote.degraded ? " (DEGRADED: computed here)" : "") + "\n\n";
    if (!remote.passes.empty()) {
        Table passes({"pass", "samples", "fetched", "computed", "seconds", "answers"}, 1);
        for (const auto& pass : remote.passes)
            passes.add({pass.name, std::to_string(pass.samples), std::to_string(pass.fetched), std::to_string(pass.computed), significant(pass.seconds), pass.sameAnswers ? "the same" : "DIFFERENT"});
        Table transfers({"form", "bytes", "relative error", "same top class"}, 1);
        for (const auto& transfer : remote.transfers)
            transfers.add({transfer.name, grouped(transfer.bytes), significant(transfer.relativeError, 3), percent(transfer.sameTopClass)});
        text += passes.text() + "\n" + transfers.text() + "\nencode " + millis(remote.encodeP50) + ", fetch " + millis(remote.fetchP50) + "\n\n";
    }
    if (!remote.latencies.empty()) {
        Table table({"bytes", "put p50", "p95", "p99", "get p50", "p95", "p99"}, 0);
        for (const auto& row : remote.latencies)
            table.add({grouped(row.bytes), millis(row.putP50), millis(row.putP95), millis(row.putP99), millis(row.getP50), millis(row.getP95), millis(row.getP99)});
        text += table.text() + "\nget: " + millis(remote.get.seconds) + " + " + significant(1e9 * remote.get.secondsPerByte) + " ns a byte (at most " + percent(remote.get.worst, 0) + " off)" +
                (remote.breakEvenBytes > 0 ? "; fetching pays below " + grouped(static_cast<std::uint64_t>(remote.breakEvenBytes)) + " bytes" : std::string()) + "\n";
    }
    for (const std::string& notice : remote.notices)
        text += "notice: " + notice + "\n";
    return text;
}

/// What a run of this lab is worth, in the keys that all runs have.
void addSummary(ordered_json& document, const report::FleetReport& report)
{
    const auto& edge = report.edgeCloud;
    ordered_json quality = ordered_json::object(), baseline = ordered_json::object();
    if (report.hasRing) {
        quality = {{"hitRatio", orNull(report.ring.placements.front().hitRatio)}, {"maxOverMean", orNull(report.ring.placements.front().maxOverMean)}};
        baseline = {{"method", "modulo"}, {"quality", {{"hitRatio", orNull(report.ring.placements.back().hitRatio)}, {"maxOverMean", orNull(report.ring.placements.back().maxOverMean)}}}};
    } else if (report.hasGossip) {
        quality = {{"meanRounds", orNull(report.gossip.meanRounds)}};
        baseline = {{"method", "log2 n"}, {"quality", {{"meanRounds", orNull(report.gossip.log2)}}}};
    } else if (report.hasEdgeCloud) {
        quality = {{"meanSeconds", orNull(edge.meanSeconds)}};
        baseline = {{"method", "computing again"}, {"quality", {{"meanSeconds", orNull(edge.encodeSeconds)}}}};
    } else {
        quality = {{"sameAnswers", report.remote.passes.empty() || report.remote.passes.back().sameAnswers}, {"fetchSeconds", orNull(report.remote.fetchP50)}};
        baseline = {{"method", "computing again"}, {"quality", {{"fetchSeconds", orNull(report.remote.encodeP50)}}}};
    }
    document["cost"] = {{"parameters", 0}, {"bytes", report.hasEdgeCloud ? edge.featureBytes : 0.0}, {"macs", 0}, {"latencyMs", report.hasEdgeCloud ? orNull(1000 * edge.meanSeconds) : ordered_json(nullptr)}};
    document["baseline"] = std::move(baseline);
    document["quality"] = std::move(quality);
}
} // namespace

void addFleet(ordered_json& document, const report::FleetReport& report)
{
    addSummary(document, report);
    document["requests"] = report.requests;
    document["objects"] = report.objects;
    if (report.hasRing)
        document["ring"] = ringJson(report.ring);
    if (report.hasGossip)
        document["gossip"] = gossipJson(report.gossip);
    if (report.hasEdgeCloud)
        document["edgeCloud"] = edgeCloudJson(report.edgeCloud);
    if (report.hasRemote)
        document["remote"] = remoteJson(report.remote);
}

std::string described(const report::FleetReport& report)
{
    std::string text;
    if (!report.trace.empty())
        text += report.trace + ": " + grouped(report.requests) + " requests, " + grouped(report.objects) + " objects\n\n";
    if (report.hasRing)
        text += ringText(report.ring);
    if (report.hasGossip)
        text += gossipText(report.gossip);
    if (report.hasEdgeCloud)
        text += edgeCloudText(report.edgeCloud);
    if (report.hasRemote)
        text += (report.hasEdgeCloud ? "\n" : "") + remoteText(report.remote);
    for (const std::string& warning : report.warnings)
        text += "warning: " + warning + "\n";
    return text;
}

} // namespace tamis::cli
