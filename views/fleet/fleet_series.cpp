// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/fleet/fleet_series.h"

#include "views/common/number_format.h"

#include <QCoreApplication>

#include <cmath>

namespace tamis::views {
namespace {
using report::Series;
constexpr double kLeastBytes = 256, kMostBytes = 1 << 24;

QString tr(const char* text) { return QCoreApplication::translate("tamis::views::FleetSeries", text); }
std::string name(const char* text) { return tr(text).toStdString(); }

Series lineOf(const std::string& title, const report::LatencyLine& line)
{
    Series series{title, {}, false, false, -1, false};
    for (double bytes = kLeastBytes; bytes <= kMostBytes; bytes *= 2)
        series.points.push_back({bytes, 1000 * line.at(bytes)});
    return series;
}

template <class Value> Series rowSeries(const std::string& title, const std::vector<report::RemoteLatencyRow>& rows, Value value, bool dashed, int group)
{
    Series series{title, {}, false, dashed, group, false};
    for (const auto& row : rows)
        series.points.push_back({static_cast<double>(row.bytes), 1000 * value(row)});
    return series;
}

QString milliseconds(double seconds) { return std::isfinite(seconds) ? formatMilliseconds(1000 * seconds) : tr("not measured"); }

QString ringSummary(const report::RingReport& ring)
{
    const auto& load = ring.placements.front();
    QString text = tr("Busiest device %1 times the mean, %2 hit · one that leaves moves %3 of the keys (ideal %4), one that joins %5").arg(formatNumber(load.maxOverMean, 3), formatPercent(load.hitRatio), formatPercent(load.movedOnLeave), formatPercent(ring.idealLeave), formatPercent(load.movedOnJoin));
    for (const auto& other : ring.placements)
        if (other.rule != load.rule)
            text += tr("\n%1: %2 times, %3 hit, %4 moved").arg(QString::fromStdString(other.rule), formatNumber(other.maxOverMean, 3), formatPercent(other.hitRatio), formatPercent(other.movedOnLeave));
    text += tr("\nOne cache of all would hit %1, no placement %2").arg(formatPercent(ring.pooledHitRatio), formatPercent(ring.scatteredHitRatio));
    if (!ring.hot.empty())
        text += tr("; %1 hot keys have replicas: without them the busiest device has %2 times the mean").arg(ring.hot.size()).arg(formatNumber(ring.maxOverMeanWithoutHot, 3));
    return text;
}

QString gossipSummary(const report::GossipReport& gossip)
{
    QString text = tr("%1 devices, %2: all know after %3 rounds, 95 % of the updates after %4").arg(gossip.devices).arg(QString::fromStdString(gossip.mode), formatNumber(gossip.meanRounds, 4), formatNumber(gossip.p95Rounds, 3));
    if (std::isfinite(gossip.exactRounds))
        text += tr(" · chain %1").arg(formatNumber(gossip.exactRounds, 4));
    if (std::isfinite(gossip.theoryRounds))
        text += tr(" · many devices %1").arg(formatNumber(gossip.theoryRounds, 3));
    return text + tr(" · log2 n %1 · %2 calls a device").arg(formatNumber(gossip.log2, 3), formatNumber(gossip.messagesPerDevice, 3));
}

QString edgeSummary(const report::EdgeCloudReport& edge)
{
    QString text = tr("A request takes %1, computing again %2 (%3): %4 times faster").arg(milliseconds(edge.meanSeconds), milliseconds(edge.encodeSeconds), edge.encodeMeasured ? tr("measured") : tr("assumed"), formatNumber(edge.speedUp, 3));
    for (const auto& share : edge.shares)
        text += tr(" · %1 %2, %3").arg(QString::fromStdString(share.tier), formatPercent(share.share), milliseconds(share.seconds));
    for (const auto& fetch : edge.fetches)
        if (fetch.transfer == edge.transfer)
            text += fetch.worthwhile ? tr(" · fetching from %1 pays").arg(QString::fromStdString(fetch.tier)) : tr(" · fetching from %1 does not pay").arg(QString::fromStdString(fetch.tier));
    return text;
}

QString remoteSummary(const report::RemoteReport& remote)
{
    QString text = tr("%1: encoding %2, fetching %3").arg(QString::fromStdString(remote.server), milliseconds(remote.encodeP50), milliseconds(remote.fetchP50));
    for (const auto& pass : remote.passes)
        text += tr(" · %1: %2 fetched, %3 computed in %4, %5").arg(QString::fromStdString(pass.name)).arg(pass.fetched).arg(pass.computed).arg(formatDuration(pass.seconds), pass.sameAnswers ? tr("the same answers") : tr("OTHER ANSWERS"));
    for (const auto& transfer : remote.transfers)
        text += tr(" · %1: %2, off by %3").arg(QString::fromStdString(transfer.name), formatBytes(static_cast<double>(transfer.bytes)), formatPercent(transfer.relativeError, 3));
    return text;
}
} // namespace

std::vector<Series> spreadSeries(const report::RingReport& ring)
{
    Series measured{name("measured, 16 rings"), {}, false, false, 0, false}, expected{name("expected"), {}, false, true, 0, false}, root{name("1 / sqrt(v)"), {}, false, false, -1, true};
    for (const auto& point : ring.spread) {
        measured.points.push_back({static_cast<double>(point.virtualNodes), point.measured});
        expected.points.push_back({static_cast<double>(point.virtualNodes), point.expected});
        root.points.push_back({static_cast<double>(point.virtualNodes), 1 / std::sqrt(point.virtualNodes)});
    }
    return {measured, expected, root};
}

std::vector<Series> leaveSeries(const report::RingReport& ring)
{
    const auto windows = [](const std::string& title, const std::vector<double>& values, bool baseline) {
        Series series{title, {}, false, false, -1, baseline};
        for (std::size_t i = 0; i < values.size(); ++i)
            series.points.push_back({100 * (static_cast<double>(i) + 0.5) / static_cast<double>(values.size()), values[i]});
        return series;
    };
    return {windows(name("ring"), ring.ringWindows, false), windows(name("modulo"), ring.moduloWindows, true)};
}

std::vector<Series> informedSeries(const report::GossipReport& gossip)
{
    const auto rounds = [](const std::string& title, const std::vector<double>& values, bool dashed) {
        Series series{title, {}, false, dashed, 0, false};
        for (std::size_t i = 0; i < values.size(); ++i)
            series.points.push_back({static_cast<double>(i), values[i]});
        return series;
    };
    std::vector<Series> all{rounds(name("simulated"), gossip.informed, false)};
    if (!gossip.exactInformed.empty())
        all.push_back(rounds(name("chain"), gossip.exactInformed, true));
    return all;
}

std::vector<Series> staleSeries(const report::GossipReport& gossip)
{
    Series measured{name("simulated"), {}, false, false, 0, false}, expected{name("expected"), {}, false, true, 0, false};
    for (const auto& point : gossip.staleness) {
        measured.points.push_back({point.interval, point.measured});
        expected.points.push_back({point.interval, point.expected});
    }
    return {measured, expected};
}

std::vector<Series> breakEvenSeries(const report::EdgeCloudReport* edge, const report::RemoteReport* remote)
{
    std::vector<Series> all;
    if (edge)
        for (std::size_t tier = 0; tier < edge->tiers.size(); ++tier)
            all.push_back(lineOf(edge->tiers[tier], edge->lines[tier]));
    if (remote && std::isfinite(remote->get.seconds))
        all.push_back(lineOf(name("Redis, measured"), remote->get));
    const auto level = [&](const char* title, double seconds) { all.push_back({name(title), {{kLeastBytes, 1000 * seconds}, {kMostBytes, 1000 * seconds}}, false, false, -1, true}); };
    if (edge && remote && std::isfinite(remote->encodeP50) && remote->encodeP50 != edge->encodeSeconds)
        level("computing again, measured", remote->encodeP50);
    const double encode = edge ? edge->encodeSeconds : remote ? remote->encodeP50 : report::kNotMeasured;
    if (std::isfinite(encode))
        level("computing again", encode);
    return all;
}

std::vector<Series> latencySeries(const report::RemoteReport& remote)
{
    using Row = report::RemoteLatencyRow;
    const auto& rows = remote.latencies;
    if (rows.empty())
        return {};
    return {rowSeries(name("get, median"), rows, [](const Row& row) { return row.getP50; }, false, 0), rowSeries(name("get, 99 %"), rows, [](const Row& row) { return row.getP99; }, true, 0),
            rowSeries(name("put, median"), rows, [](const Row& row) { return row.putP50; }, false, 1), rowSeries(name("put, 99 %"), rows, [](const Row& row) { return row.putP99; }, true, 1)};
}

QString summaryOf(const report::FleetReport& report)
{
    QString text = report.hasRing ? ringSummary(report.ring) : report.hasGossip ? gossipSummary(report.gossip) : report.hasEdgeCloud ? edgeSummary(report.edgeCloud) : report.hasRemote ? remoteSummary(report.remote) : QString();
    for (const auto& warning : report.warnings)
        text += QStringLiteral("\n") + QString::fromStdString(warning);
    return text;
}

} // namespace tamis::views
