// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/remote/store_latency.h"

#include "core/base/error.h"
#include "core/base/split_mix.h"
#include "core/remote/socket.h"

#include <algorithm>
#include <cmath>

namespace tamis::remote {
namespace {
constexpr int kKeys = 8; ///< of each size, by turns

double secondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

Features randomFeatures(std::uint64_t bytes, std::uint64_t& state)
{
    Features features{tensor::DType::U8, {static_cast<std::int64_t>(bytes)}, std::vector<std::byte>(bytes), {}};
    for (std::byte& byte : features.bytes)
        byte = static_cast<std::byte>(nextBits(state));
    return features;
}

void requireThere(bool there, const FeatureStore& store)
{
    if (!there)
        throw Error(ErrorCode::IoFailure, "found no answer while latency was measured, expected one", store.settings().connection.server.text());
}

std::vector<report::RemoteLatencyRow> timeSizes(FeatureStore& store, const LatencySettings& settings, const std::string& model, std::uint64_t state, std::vector<FeatureKey>& used, const RunContext& context)
{
    std::vector<report::RemoteLatencyRow> rows;
    for (std::size_t s = 0; s < settings.sizes.size(); ++s) {
        const Features features = randomFeatures(settings.sizes[s], state);
        std::vector<double> puts, gets;
        const int before = settings.rounds / 10;
        for (int round = -before; round < settings.rounds; ++round) {
            context.throwIfStopped();
            context.setFraction((static_cast<double>(s) + static_cast<double>(round + before) / (settings.rounds + before)) / static_cast<double>(settings.sizes.size()));
            const FeatureKey key{model, std::to_string(settings.sizes[s]) + "-" + std::to_string((round + before) % kKeys)};
            if (round + before < kKeys)
                used.push_back(key);
            auto start = Clock::now();
            requireThere(store.put(key, features, context), store);
            const double put = secondsSince(start);
            start = Clock::now();
            const auto got = store.get(key, context);
            const double get = secondsSince(start);
            requireThere(got.has_value() && !store.degraded(), store);
            if (round >= 0) {
                puts.push_back(put);
                gets.push_back(get);
            }
        }
        rows.push_back({settings.sizes[s], quantile(puts, 0.5), quantile(puts, 0.95), quantile(puts, 0.99), quantile(gets, 0.5), quantile(gets, 0.95), quantile(gets, 0.99)});
    }
    return rows;
}
} // namespace

double quantile(std::vector<double> values, double fraction)
{
    if (values.empty())
        return report::kNotMeasured;
    const auto place = static_cast<std::size_t>(std::clamp(std::ceil(fraction * static_cast<double>(values.size())), 1.0, static_cast<double>(values.size()))) - 1;
    std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(place));
    return values[place];
}

std::vector<report::RemoteLatencyRow> measureLatency(FeatureStore& store, const LatencySettings& settings, const RunContext& context)
{
    if (settings.sizes.empty() || settings.rounds < 1)
        throw Error(ErrorCode::InvalidParameter, "expected a size and a round at least", "latency");
    for (const std::uint64_t size : settings.sizes)
        if (size < 1 || size + 4096 > store.settings().mostValueBytes)
            throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(size) + " bytes, expected 1 at least and what the store takes at most", "latency");
    std::uint64_t state = settings.seed;
    const std::string model = "latency-" + std::to_string(nextBits(state));
    std::vector<FeatureKey> used;
    try {
        auto rows = timeSizes(store, settings, model, state, used, context);
        requireThere(store.remove(used, context), store);
        return rows;
    } catch (const Error& error) {
        if (error.code() != ErrorCode::Cancelled)
            store.invalidate(model, context); // once it is back: nothing of this is to be delivered
        throw;
    }
}

report::LatencyLine fitLine(const std::vector<std::pair<double, double>>& points)
{
    // Weights 1 / y^2: normal equations of sum ((a + b x - y) / y)^2, with x centred by its weighted mean.
    double weight = 0, meanX = 0, meanY = 0;
    for (const auto& [x, y] : points) {
        weight += 1 / (y * y);
        meanX += x / (y * y);
        meanY += 1 / y;
    }
    meanX /= weight;
    meanY /= weight;
    double square = 0, product = 0;
    for (const auto& [x, y] : points) {
        square += (x - meanX) * (x - meanX) / (y * y);
        product += (x - meanX) * (y - meanY) / (y * y);
    }
    report::LatencyLine line;
    if (points.size() < 2 || !(square > 0))
        return line;
    line.secondsPerByte = product / square;
    line.seconds = meanY - line.secondsPerByte * meanX;
    line.worst = 0;
    for (const auto& [x, y] : points)
        line.worst = std::max(line.worst, std::fabs(line.at(x) - y) / y);
    return line;
}

report::LatencyLine getLine(const std::vector<report::RemoteLatencyRow>& rows)
{
    std::vector<std::pair<double, double>> points;
    for (const auto& row : rows)
        points.emplace_back(static_cast<double>(row.bytes), row.getP50);
    return fitLine(points);
}

report::LatencyLine putLine(const std::vector<report::RemoteLatencyRow>& rows)
{
    std::vector<std::pair<double, double>> points;
    for (const auto& row : rows)
        points.emplace_back(static_cast<double>(row.bytes), row.putP50);
    return fitLine(points);
}

} // namespace tamis::remote
