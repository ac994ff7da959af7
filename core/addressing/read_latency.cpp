// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/addressing/read_latency.h"

#include "core/base/error.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <limits>
#include <optional>

namespace tamis::addressing {
namespace {
constexpr std::size_t kWarmUps = 8;
constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();

/// Bytes that this process had the disk deliver; nothing where the system does not count them.
std::optional<std::uint64_t> deviceBytes()
{
    std::ifstream file("/proc/self/io");
    for (std::string name, value; file >> name >> value;)
        if (name == "read_bytes:")
            return std::stoull(value);
    return {};
}

struct Way {
    ReaderKind kind;
    bool cold, direct;
};

struct Plan {
    std::vector<std::vector<ByteRange>> batches;
    std::size_t largest = 0; ///< bytes
};

Plan planOf(const EmbedTable& table, std::span<const std::int32_t> tokens, const LatencySettings& settings)
{
    if (tokens.empty() || settings.batch == 0 || settings.reads == 0)
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(tokens.size()) + " tokens in batches of " + std::to_string(settings.batch) + ", expected at least one of each", "tokens");
    Plan plan;
    std::size_t next = 0;
    for (std::size_t read = 0; read < settings.reads + kWarmUps; ++read) {
        std::vector<ByteRange> ranges;
        for (std::size_t i = 0; i < settings.batch; ++i, next = (next + 1) % tokens.size()) {
            if (tokens[next] < 0 || tokens[next] >= table.shape().tokens)
                throw Error(ErrorCode::InvalidParameter, "found the token " + std::to_string(tokens[next]) + ", the table has rows for 0 to " + std::to_string(table.shape().tokens - 1), "tokens");
            table.appendRanges(tokens[next], ranges);
        }
        plan.batches.push_back(std::move(ranges));
    }
    plan.largest = settings.batch * static_cast<std::size_t>(table.shape().tokenBytes());
    return plan;
}

report::ReadLatency timed(RowReader& reader, const Way& way, const Plan& plan, const LatencySettings& settings, std::vector<std::byte>& last, const RunContext& context)
{
    report::ReadLatency row;
    std::vector<double> micros;
    last.resize(plan.largest);
    std::optional<std::uint64_t> before;
    ReadCounts counted;
    for (std::size_t read = 0; read < plan.batches.size(); ++read) {
        context.throwIfStopped();
        if (read == kWarmUps) {
            before = deviceBytes();
            counted = reader.counts();
        }
        if (way.cold)
            reader.evict();
        const auto start = std::chrono::steady_clock::now();
        reader.read(plan.batches[read], last);
        const auto end = std::chrono::steady_clock::now();
        if (read >= kWarmUps)
            micros.push_back(std::chrono::duration<double, std::micro>(end - start).count());
    }
    const double tokens = static_cast<double>(settings.reads * settings.batch);
    if (const auto after = deviceBytes(); before && after)
        row.deviceBytesPerToken = static_cast<double>(*after - *before) / tokens;
    row.requestsPerToken = static_cast<double>(reader.counts().requests - counted.requests) / tokens;
    row.p50 = quantile(micros, 0.50);
    row.p95 = quantile(micros, 0.95);
    row.p99 = quantile(micros, 0.99);
    return row;
}
} // namespace

double quantile(std::vector<double>& values, double p)
{
    if (values.empty())
        return kNothing;
    std::ranges::sort(values);
    const auto rank = static_cast<std::size_t>(std::ceil(p * static_cast<double>(values.size())));
    return values[std::clamp<std::size_t>(rank, 1, values.size()) - 1];
}

std::vector<report::ReadLatency> measureReads(const EmbedTable& table, std::span<const std::int32_t> tokens, const LatencySettings& settings, const RunContext& context)
{
    const Plan plan = planOf(table, tokens, settings);
    std::vector<Way> ways{{ReaderKind::Mapped, false, false}, {ReaderKind::Pread, false, false}, {ReaderKind::Ring, false, false}};
    if (settings.cold)
        ways.insert(ways.end(), {{ReaderKind::Mapped, true, false}, {ReaderKind::Pread, true, false}, {ReaderKind::Ring, true, false}, {ReaderKind::Pread, true, true}, {ReaderKind::Ring, true, true}});
    std::vector<report::ReadLatency> rows;
    std::vector<std::byte> first, bytes;
    for (const Way& way : ways) {
        report::ReadLatency row;
        try {
            const auto reader = openReader(way.kind, table.path(), {.direct = way.direct, .depth = settings.depth});
            row = timed(*reader, way, plan, settings, bytes, context);
        } catch (const Error& error) {
            if (error.code() == ErrorCode::Cancelled || rows.empty())
                throw;
            row.failure = error.what();
        }
        row.reader = std::string(readerName(way.kind)) + (way.direct ? " O_DIRECT" : "");
        row.layout = std::string(layoutName(table.shape().layout));
        row.cold = way.cold;
        row.batch = settings.batch;
        if (rows.empty())
            first = bytes;
        else if (row.failure.empty() && bytes != first)
            throw Error(ErrorCode::InvalidParameter, row.reader + " gives other bytes than " + rows.front().reader, table.path().string());
        rows.push_back(std::move(row));
        context.setFraction(static_cast<double>(rows.size()) / static_cast<double>(ways.size()));
    }
    return rows;
}

} // namespace tamis::addressing
