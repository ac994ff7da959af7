// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/bench/addressing_bench.h"

#include "core/addressing/page_count.h"
#include "core/addressing/read_costs.h"
#include "core/addressing/read_latency.h"
#include "core/base/error.h"
#include "core/base/number_text.h"
#include "core/base/split_mix.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <limits>

namespace tamis::bench {
namespace {
using namespace tamis::addressing;
constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t kPrompt = 256;
constexpr std::uint64_t kSequential = std::uint64_t{1} << 20U;

/// p(v) ~ 1 / (v + 1), shuffled so that frequent tokens do not lie together.
std::vector<std::int32_t> zipfTokens(std::int64_t vocabulary, std::size_t count)
{
    std::vector<double> sums(static_cast<std::size_t>(vocabulary));
    double sum = 0;
    for (std::size_t v = 0; v < sums.size(); ++v)
        sums[v] = sum += 1.0 / static_cast<double>(v + 1);
    std::vector<std::int32_t> names(sums.size());
    for (std::size_t v = 0; v < names.size(); ++v)
        names[v] = static_cast<std::int32_t>(v);
    std::uint64_t state = 5;
    for (std::size_t v = names.size(); v > 1; --v)
        std::swap(names[v - 1], names[nextBits(state) % v]);
    std::vector<std::int32_t> tokens(count);
    for (std::int32_t& token : tokens) {
        const double at = sum * static_cast<double>(nextBits(state) >> 11U) / 9007199254740992.0; // 2^53
        token = names[static_cast<std::size_t>(std::min<std::ptrdiff_t>(std::ranges::upper_bound(sums, at) - sums.begin(), static_cast<std::ptrdiff_t>(sums.size()) - 1))];
    }
    return tokens;
}

template <class Function> double secondsOf(Function&& function)
{
    const auto start = std::chrono::steady_clock::now();
    function();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Bytes a second of 1 MiB reads one after another past the page cache; NaN where the system refuses them.
double diskBandwidth(const std::filesystem::path& file, const RunContext& context)
{
    try {
        const auto reader = openReader(ReaderKind::Pread, file, {.direct = true});
        const std::uint64_t pieces = std::min<std::uint64_t>(reader->size() / kSequential, 128);
        std::vector<std::byte> bytes(kSequential);
        double seconds = 0;
        for (std::uint64_t piece = 0; piece < pieces; ++piece) {
            context.throwIfStopped();
            const ByteRange range{piece * kSequential, kSequential};
            seconds += secondsOf([&] { reader->read(std::span(&range, 1), bytes); });
        }
        return pieces > 0 ? static_cast<double>(pieces * kSequential) / seconds : kNothing;
    } catch (const Error& error) {
        if (error.code() != ErrorCode::UnsupportedFeature)
            throw;
        return kNothing;
    }
}

/// Bytes a second of copies of 64 MiB, read and written once each.
double memoryBandwidth()
{
    std::vector<std::byte> from(std::size_t{64} << 20U, std::byte{1}), to(from.size());
    double best = std::numeric_limits<double>::infinity();
    for (int round = 0; round < 5; ++round)
        best = std::min(best, secondsOf([&] { std::memcpy(to.data(), from.data(), from.size()); }));
    return static_cast<double>(from.size()) / best;
}

struct Timings {
    std::vector<report::ReadLatency> byLayout[2]; ///< token-major, layer-major
    const report::ReadLatency& of(TableLayout layout, const char* reader, bool cold) const
    {
        const auto& rows = byLayout[layout == TableLayout::TokenMajor ? 0 : 1];
        return *std::ranges::find_if(rows, [&](const auto& row) { return row.reader == reader && row.cold == cold; });
    }
};

double seconds(const report::ReadLatency& row) { return row.failure.empty() ? row.p50 * 1e-6 : kNothing; }

std::string percentiles(const report::ReadLatency& row)
{
    if (!row.failure.empty())
        return row.failure;
    return "p50 " + fixedText(row.p50, 1) + ", p95 " + fixedText(row.p95, 1) + ", p99 " + fixedText(row.p99, 1) + " us, " + fixedText(row.deviceBytesPerToken, 0) + " bytes a token from the disk";
}

BenchResult entry(const std::string& name, const report::ReadLatency& ours, const report::ReadLatency& peer, const std::string& peerName)
{
    BenchResult result;
    result.name = name;
    result.oursSeconds = seconds(ours);
    result.peerSeconds = seconds(peer);
    result.peerName = peerName;
    result.ratio = result.peerSeconds / result.oursSeconds;
    result.unit = "s";
    result.boundFraction = kNothing;
    result.note = "ours " + percentiles(ours) + "; peer " + percentiles(peer);
    return result;
}

void bound(BenchResult& result, double bytes, double bandwidth, const std::string& what)
{
    result.bound = fixedText(bytes, 0) + " bytes at " + fixedText(bandwidth * 1e-6, 0) + " MB/s, " + what;
    result.boundFraction = bytes / bandwidth / result.oursSeconds;
}

Timings timingsOf(const EmbedTable& byToken, const EmbedTable& byLayer, std::span<const std::int32_t> tokens, std::size_t reads, std::size_t batch, const RunContext& context)
{
    context.setParts(2);
    const LatencySettings settings{.reads = reads, .batch = batch};
    return {{measureReads(byToken, tokens, settings, context.part(1, "token-major")), measureReads(byLayer, tokens, settings, context.part(1, "layer-major"))}};
}
} // namespace

std::vector<BenchResult> benchAddressing(const RunContext& context, const AddressingBenchInputs& in)
{
    context.setParts(6);
    const ScratchDirectory scratch(in.directory);
    std::vector<float> row(static_cast<std::size_t>(in.width));
    const auto made = [&](TableLayout layout, const char* name, const RunContext& part) {
        writeEmbedTable(scratch.path() / name, {in.layers, in.tokens, in.width, tensor::DType::BF16, layout}, [&](std::int64_t layer, std::int64_t token) {
            std::uint64_t state = mixedBits(static_cast<std::uint64_t>(layer * in.tokens + token));
            for (float& value : row)
                value = 1 + static_cast<float>(nextBits(state) >> 40U) * 0x1p-26F;
            return std::span<const float>(row);
        }, part);
        return EmbedTable::open(scratch.path() / name);
    };
    const EmbedTable byToken = made(TableLayout::TokenMajor, "token.safetensors", context.part(1, "writing a table by token")), byLayer = made(TableLayout::LayerMajor, "layer.safetensors", context.part(1, "writing a table by layer"));
    const double disk = diskBandwidth(byToken.path(), context), memory = memoryBandwidth();
    const auto tokens = zipfTokens(in.tokens, static_cast<std::size_t>(std::max<std::int64_t>(in.reads, in.prompts * static_cast<std::int64_t>(kPrompt))) + 4096);
    const Timings one = timingsOf(byToken, byLayer, tokens, static_cast<std::size_t>(in.reads), 1, context.part(2, "one token"));
    const Timings many = timingsOf(byToken, byLayer, tokens, static_cast<std::size_t>(in.prompts), kPrompt, context.part(2, "256 tokens"));
    constexpr TableLayout kToken = TableLayout::TokenMajor, kLayer = TableLayout::LayerMajor;
    const PageCount pages = countPages(byToken, tokens, 1), prompt = countPages(byToken, tokens, kPrompt);
    const double page = static_cast<double>(kPageBytes);
    std::vector<BenchResult> results{
        entry("a token from memory, token-major", one.of(kToken, "mmap", false), one.of(kLayer, "mmap", false), "layer-major, mmap both"),
        entry("a token from disk, token-major", one.of(kToken, "io_uring O_DIRECT", true), one.of(kLayer, "io_uring O_DIRECT", true), "layer-major, io_uring O_DIRECT both"),
        entry("a token from disk, layer-major, io_uring", one.of(kLayer, "io_uring O_DIRECT", true), one.of(kLayer, "pread O_DIRECT", true), "pread O_DIRECT"),
        entry("256 tokens from disk, token-major, io_uring", many.of(kToken, "io_uring O_DIRECT", true), many.of(kToken, "pread O_DIRECT", true), "pread O_DIRECT"),
        entry("256 tokens from disk, layer-major, io_uring", many.of(kLayer, "io_uring O_DIRECT", true), many.of(kLayer, "pread O_DIRECT", true), "pread O_DIRECT"),
        entry("256 tokens from disk, token-major", many.of(kToken, "io_uring O_DIRECT", true), many.of(kToken, "mmap", true), "mmap, pages dropped")};
    bound(results[0], pages.bytesPerToken(), memory, "copies in memory");
    bound(results[1], pages.pagesPerToken() * page, disk, "1 MiB reads past the page cache");
    for (const std::size_t index : {std::size_t{3}, std::size_t{5}})
        bound(results[index], prompt.pagesPerToken() * page * static_cast<double>(kPrompt), disk, "1 MiB reads past the page cache");
    context.finish();
    return results;
}

} // namespace tamis::bench
