// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/fleet/edge_cloud.h"

#include "core/base/error.h"
#include "core/base/split_mix.h"
#include "core/fleet/delta_transfer.h"
#include "core/fleet/device_caches.h"
#include "core/fleet/model_features.h"
#include "core/remote/store_latency.h"
#include "core/remote/transfer.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <mutex>

namespace tamis::fleet {
namespace {
using Clock = std::chrono::steady_clock;
constexpr std::size_t kLook = 1024; ///< requests between looks at the stop
constexpr std::size_t kMostFrames = 64;
constexpr std::array<const char*, 3> kTiers{"device", "edge", "cloud"};

double secondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

report::TransferSize& transferNamed(std::vector<report::TransferSize>& transfers, const std::string& name) { return *std::ranges::find(transfers, name, &report::TransferSize::name); }

/// From the number of values; a delta from what is assumed of it.
std::vector<report::TransferSize> assumedTransfers(std::uint64_t rows, std::uint64_t cols, double deltaShare)
{
    std::vector<report::TransferSize> all;
    for (const remote::Transfer each : {remote::Transfer::F32, remote::Transfer::F16, remote::Transfer::I8})
        all.push_back({std::string(remote::transferName(each)), static_cast<double>(remote::transferBytes(each, rows, cols)), report::kNotMeasured, false});
    all.front().error = 0;
    all.push_back({"delta", deltaShare * all.back().bytes, report::kNotMeasured, false});
    return all;
}

/// Sums over frames of what one form of transfer gets wrong.
struct ErrorSum {
    double error = 0, norm = 0, bytes = 0;
    void add(const tensor::Matrix<float>& sent, const tensor::Matrix<float>& got)
    {
        for (std::size_t i = 0; i < sent.size(); ++i) {
            const double value = sent.values()[i], off = value - got.values()[i];
            error += off * off;
            norm += value * value;
        }
    }
    double relative() const { return std::sqrt(error / norm); }
};

/// Encodes the samples in their order; a delta is of each from the one before, the first not counted.
void measureModel(const Inputs& inputs, double threshold, report::EdgeCloudReport& report, std::vector<std::string>& warnings, const RunContext& context)
{
    const std::size_t count = std::min(inputs.samples->count(), kMostFrames);
    if (count < inputs.samples->count())
        warnings.push_back("Encoding and deltas are measured on the first " + std::to_string(count) + " of " + std::to_string(inputs.samples->count()) + " samples.");
    ModelFeatures model(*inputs.model, context);
    DeltaSender sender(threshold);
    measure::LoadedSample sample;
    std::vector<double> times;
    ErrorSum half, small, delta;
    for (std::size_t i = 0; i < count; ++i) {
        context.throwIfStopped();
        context.setFraction(static_cast<double>(i) / static_cast<double>(count));
        inputs.samples->load(i, sample);
        const auto start = Clock::now();
        const tensor::Matrix<float> features = model.encode(sample);
        times.push_back(secondsSince(start));
        if (i == 0)
            report.transfers = assumedTransfers(static_cast<std::uint64_t>(features.rows()), static_cast<std::uint64_t>(features.cols()), 1);
        half.add(features, remote::unpack(remote::pack(features, remote::Transfer::F16)));
        small.add(features, remote::unpack(remote::pack(features, remote::Transfer::I8)));
        const DeltaFrame sent = sender.send(features);
        if (i > 0) {
            delta.bytes += sent.bytes;
            delta.error += sent.squaredError;
            delta.norm += sent.squaredNorm;
        }
    }
    report.encodeSeconds = remote::quantile(times, 0.5);
    report.encodeMeasured = true;
    for (report::TransferSize& each : report.transfers)
        each.measured = true;
    transferNamed(report.transfers, "f16").error = half.relative();
    transferNamed(report.transfers, "int8").error = small.relative();
    auto& last = transferNamed(report.transfers, "delta");
    if (count > 1) {
        last.bytes = delta.bytes / static_cast<double>(count - 1);
        last.error = delta.relative();
    } else {
        last.measured = false;
        warnings.push_back("One sample alone has no difference from the one before: the bytes of a delta are those of int8.");
    }
}

report::LatencyLine lineOf(const Parameters& set, const std::string& tier)
{
    return {set.real(tier + "-latency") / 1000, 1 / (set.real(tier + "-bandwidth") * 1e6), report::kNotMeasured};
}

/// Latency of a server that is there takes the place of the edge's.
void measureServer(const Inputs& inputs, report::FleetReport& report, const RunContext& context)
{
    std::mutex mutex; // of the notices: the store's own thread tells, too
    std::vector<std::string> notices;
    report.hasRemote = true;
    report.remote.server = inputs.store->connection.server.text();
    {
        remote::FeatureStore store(*inputs.store, [&](const remote::StoreNotice& notice) {
            const std::lock_guard lock(mutex);
            notices.push_back(notice.text);
            if (inputs.listener)
                inputs.listener(notice);
        }, context);
        report.remote.reached = !store.degraded();
        try {
            if (report.remote.reached)
                report.remote.latencies = remote::measureLatency(store, {.rounds = 50, .seed = inputs.seed}, context);
        } catch (const Error& error) {
            if (error.code() != ErrorCode::IoFailure)
                throw;
            report.warnings.push_back(error.what());
        }
        report.remote.degraded = store.degraded() || report.remote.latencies.empty();
    }
    report.remote.notices = std::move(notices);
    report.remote.get = remote::getLine(report.remote.latencies);
    report.remote.put = remote::putLine(report.remote.latencies);
    if (report.remote.get.secondsPerByte > 0 && report.remote.get.seconds >= 0)
        report.edgeCloud.lines[1] = report.remote.get;
    else if (report.remote.latencies.empty())
        report.warnings.push_back("The server is not there: the edge is as its settings say.");
    else
        report.warnings.push_back("The server's latency does not grow with the bytes as a line does: the edge is as its settings say.");
}

/// Requests by where they are found first: devices behind one edge, a cloud that forgets nothing.
std::array<std::uint64_t, 4> countTiers(const cache::Trace& trace, const Parameters& set, std::uint64_t seed, const RunContext& context)
{
    const std::size_t objects = trace.ids.size();
    const auto devices = static_cast<std::size_t>(set.integer("devices"));
    DeviceCaches held(set.text("policy"), devices, capacityEach(set.real("device-capacity"), objects, 1), objects, seed, context);
    DeviceCaches edge(set.text("policy"), 1, capacityEach(set.real("edge-capacity"), objects, 1), objects, seed + devices, context);
    std::vector<bool> known(objects);
    std::array<std::uint64_t, 4> counts{};
    for (std::size_t i = 0; i < trace.requests(); ++i) {
        if (i % kLook == 0)
            context.throwIfStopped();
        const std::uint32_t object = trace.objects[i];
        const auto device = static_cast<std::uint32_t>((mixedBits(seed + (i + 1) * kSplitMixStep) >> 8U) % devices);
        if (held.request(device, object))
            ++counts[0];
        else if (edge.request(0, object))
            ++counts[1];
        else
            ++counts[known[object] ? 2 : 3];
        known[object] = true;
    }
    return counts;
}

void weigh(const std::array<std::uint64_t, 4>& counts, double requests, report::EdgeCloudReport& report)
{
    report.meanSeconds = report.alwaysFetchSeconds = 0;
    const double bytes = transferNamed(report.transfers, report.transfer).bytes;
    for (std::size_t tier = 0; tier < counts.size(); ++tier) {
        const double share = static_cast<double>(counts[tier]) / requests;
        const double fetch = tier < report.lines.size() ? report.lines[tier].at(tier == 0 ? report.featureBytes : bytes) : report.encodeSeconds;
        const double seconds = std::min(fetch, report.encodeSeconds);
        report.shares.push_back({tier < kTiers.size() ? kTiers[tier] : "computed", share, seconds});
        report.meanSeconds += share * seconds;
        report.alwaysFetchSeconds += share * fetch;
    }
    report.speedUp = report.encodeSeconds / report.meanSeconds;
}

report::FleetReport run(const Inputs& inputs, const Parameters& given, const RunContext& context)
{
    const auto start = Clock::now();
    const Method method = edgeCloudMethod();
    report::FleetReport report;
    report.method = method.declaration.id;
    report.parameters = method.declaration.schema.complete(given);
    const Parameters& set = report.parameters;
    if (!inputs.trace || inputs.trace->requests() == 0)
        throw Error(ErrorCode::InvalidParameter, "found no requests, expected a trace", "trace");
    if (inputs.model && (!inputs.samples || inputs.samples->count() == 0))
        throw Error(ErrorCode::InvalidParameter, "found none, expected photos or frames that the model encodes", "samples");
    context.setParts(10);
    report.trace = inputs.trace->name;
    report.requests = inputs.trace->requests();
    report.objects = inputs.trace->ids.size();
    report.hasEdgeCloud = true;
    report::EdgeCloudReport& result = report.edgeCloud;
    result = assumedTiers(set);
    result.transfers = assumedTransfers(static_cast<std::uint64_t>(set.integer("tokens")), static_cast<std::uint64_t>(set.integer("width")), set.real("delta-share"));
    if (inputs.model) {
        report.samples = inputs.samples->description();
        measureModel(inputs, set.real("threshold"), result, report.warnings, context.part(5, "encoding"));
    }
    result.featureBytes = result.transfers.front().bytes;
    result.transfer = set.text("transfer");
    if (inputs.store)
        measureServer(inputs, report, context.part(2, "measuring the server"));
    for (std::size_t tier = 0; tier < kTiers.size(); ++tier)
        for (const report::TransferSize& transfer : result.transfers) {
            if (tier == 0 && &transfer != &result.transfers.front()) // what is on the device is as it is
                continue;
            report::TierFetch fetch = tierFetch(result.lines[tier], transfer.bytes, result.encodeSeconds);
            fetch.tier = kTiers[tier];
            fetch.transfer = transfer.name;
            result.fetches.push_back(fetch);
        }
    weigh(countTiers(*inputs.trace, set, inputs.seed, context.part(3, "tiers")), static_cast<double>(report.requests), result);
    report.warnings.push_back(std::string("These tiers are a model for planning") + (inputs.store && result.lines[1].seconds == report.remote.get.seconds ? "; the edge's line is measured." : ": no device was asked."));
    if (!result.encodeMeasured)
        report.warnings.push_back("The time of encoding and the bytes of a delta are assumed: give a model and frames to measure them.");
    report.seconds = secondsSince(start);
    return report;
}

std::vector<ParameterSpec> parameterSpecs()
{
    using Type = ParameterType;
    std::vector<ParameterSpec> specs{
        {.name = "devices", .title = "Devices", .type = Type::Integer, .defaultValue = std::int64_t{8}, .minimum = 1, .maximum = 256, .help = "Behind one edge"},
        {.name = "policy", .title = "Policy", .type = Type::Choice, .defaultValue = std::string("lru"), .help = "Of the caches of devices and edge", .choices = devicePolicies()},
        {.name = "device-capacity", .title = "Device capacity", .type = Type::Real, .defaultValue = 0.02, .minimum = 0.0001, .maximum = 1, .logarithmic = true, .help = "Of each device, share of the objects"},
        {.name = "edge-capacity", .title = "Edge capacity", .type = Type::Real, .defaultValue = 0.2, .minimum = 0.0001, .maximum = 1, .logarithmic = true, .help = "Share of the objects; the cloud keeps all"},
        {.name = "transfer", .title = "Transfer", .type = Type::Choice, .defaultValue = std::string("f16"), .help = "Form in which features travel from edge and cloud", .choices = {"f32", "f16", "int8", "delta"}},
        {.name = "encode", .title = "Encoding", .type = Type::Real, .defaultValue = 5.0, .minimum = 0.001, .maximum = 1e5, .logarithmic = true, .unit = "ms", .help = "Computing features anew, where no model is given to measure it"},
        {.name = "tokens", .title = "Tokens", .type = Type::Integer, .defaultValue = std::int64_t{257}, .minimum = 1, .maximum = 65536, .logarithmic = true, .help = "Of the features, where no model is given"},
        {.name = "width", .title = "Width", .type = Type::Integer, .defaultValue = std::int64_t{128}, .minimum = 1, .maximum = 65536, .logarithmic = true, .help = "Of the features, where no model is given"},
        {.name = "delta-share", .title = "Delta share", .type = Type::Real, .defaultValue = 0.5, .minimum = 0.001, .maximum = 1, .help = "Bytes of a delta over those of int8, where no model is given"},
        {.name = "threshold", .title = "Threshold", .type = Type::Real, .defaultValue = 0.05, .minimum = 0, .maximum = 1, .help = "Rows that differ by less, of their norm, are not sent in a delta"},
    };
    struct Tier {
        const char *name, *title;
        double latency, bandwidth;
    };
    for (const Tier& tier : {Tier{"device", "Device", 0.01, 5000}, Tier{"edge", "Edge", 2, 50}, Tier{"cloud", "Cloud", 40, 10}}) {
        specs.push_back({.name = std::string(tier.name) + "-latency", .title = std::string(tier.title) + " latency", .type = Type::Real, .defaultValue = tier.latency, .minimum = 0, .maximum = 1e5, .unit = "ms", .help = "To the first byte, there and back"});
        specs.push_back({.name = std::string(tier.name) + "-bandwidth", .title = std::string(tier.title) + " bandwidth", .type = Type::Real, .defaultValue = tier.bandwidth, .minimum = 0.001, .maximum = 1e6, .logarithmic = true, .unit = "MB/s", .help = "From there to the device"});
    }
    return specs;
}
} // namespace

report::TierFetch tierFetch(const report::LatencyLine& tier, double bytes, double encodeSeconds)
{
    report::TierFetch fetch;
    fetch.bytes = bytes;
    fetch.seconds = tier.at(bytes);
    fetch.worthwhile = fetch.seconds < encodeSeconds;
    fetch.breakEvenBytes = (encodeSeconds - tier.seconds) / tier.secondsPerByte;
    fetch.breakEvenLatency = encodeSeconds - tier.secondsPerByte * bytes;
    if (encodeSeconds > tier.seconds)
        fetch.breakEvenBandwidth = bytes / (encodeSeconds - tier.seconds);
    return fetch;
}

report::EdgeCloudReport assumedTiers(const Parameters& given)
{
    const Parameters set = ParameterSchema(parameterSpecs()).complete(given);
    report::EdgeCloudReport report;
    report.encodeSeconds = set.real("encode") / 1000;
    for (const char* tier : kTiers) {
        report.tiers.emplace_back(tier);
        report.lines.push_back(lineOf(set, tier));
    }
    return report;
}

Method edgeCloudMethod()
{
    Method method;
    method.trace = Need::Required;
    method.model = Need::Optional;
    method.server = Need::Optional;
    method.declaration = {.id = "fleet.edge-cloud", .lab = "fleet", .title = "Device, edge and cloud",
        .reference = "time of a fetch = latency + bytes / bandwidth; a stored feature is worth its fetch where that takes less than computing it again",
        .schema = ParameterSchema(parameterSpecs())};
    method.run = run;
    return method;
}

} // namespace tamis::fleet
