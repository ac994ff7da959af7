// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/addressing/read_costs.h"

#include "core/addressing/reuse.h"
#include "core/addressing/routing_report.h"
#include "core/base/error.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace tamis::addressing {
namespace {
constexpr std::size_t kMaximumTrace = std::size_t{16} << 20U;
}

std::vector<ParameterSpec> readingParameters()
{
    using Type = ParameterType;
    return {{.name = "type", .title = "Stored as", .type = Type::Choice, .defaultValue = std::string("f16"), .help = "Type of the table's numbers on disk", .choices = {"f32", "f16", "bf16"}},
            {.name = "window", .title = "Tokens at once", .type = Type::Integer, .defaultValue = std::int64_t{256}, .minimum = 1, .maximum = 65536, .step = 1, .logarithmic = true,
             .help = "Tokens of a batch beside token by token, and of the windows whose different rows are counted"},
            {.name = "depth", .title = "Queue depth", .type = Type::Integer, .defaultValue = std::int64_t{64}, .minimum = 1, .maximum = 4096, .step = 1, .logarithmic = true, .help = "io_uring: reads under way at once"},
            {.name = "reads", .title = "Timed reads", .type = Type::Integer, .defaultValue = std::int64_t{512}, .minimum = 1, .maximum = 100000, .step = 1, .logarithmic = true, .help = "Reads that each reader is timed over"},
            {.name = "cold", .title = "From disk too", .type = Type::Boolean, .defaultValue = true, .help = "Time reads with the file's pages dropped before each, and past the page cache"}};
}

tensor::DType tableType(const Parameters& parameters)
{
    const std::string& name = parameters.text("type");
    return name == "f32" ? tensor::DType::F32 : name == "f16" ? tensor::DType::F16 : tensor::DType::BF16;
}

LatencySettings latencySettings(const Parameters& parameters)
{
    return {.reads = static_cast<std::size_t>(parameters.integer("reads")), .batch = 1, .depth = static_cast<unsigned>(parameters.integer("depth")), .cold = parameters.boolean("cold")};
}

ScratchDirectory::ScratchDirectory(const std::filesystem::path& parent)
{
    std::error_code error;
    const std::filesystem::path base = parent.empty() ? std::filesystem::temp_directory_path(error) : parent;
    std::string pattern = (base / "tamis-addressing-XXXXXX").string();
    if (error || ::mkdtemp(pattern.data()) == nullptr)
        throw Error(ErrorCode::IoFailure, "no directory can be made there: " + std::string(error ? error.message() : std::strerror(errno)), base.string());
    m_path = pattern;
}

ScratchDirectory::~ScratchDirectory()
{
    std::error_code ignored;
    std::filesystem::remove_all(m_path, ignored);
}

std::vector<std::int32_t> tokenTrace(const measure::SampleSource& source, const RunContext& context)
{
    std::vector<std::int32_t> trace;
    measure::LoadedSample sample;
    for (std::size_t index = 0; index < source.count(); ++index) {
        context.throwIfStopped();
        source.load(index, sample);
        trace.insert(trace.end(), sample.tokens.begin(), sample.tokens.end());
        if (trace.size() > kMaximumTrace)
            throw Error(ErrorCode::LimitExceeded, "holds more than " + std::to_string(kMaximumTrace) + " tokens, expected fewer (a limit on the samples helps)", source.description());
    }
    return trace;
}

report::TableReads tableReads(const TableShape& shape, const PageCount& single, const PageCount& window, std::uint64_t batch)
{
    report::TableReads reads;
    reads.layout = layoutName(shape.layout);
    reads.type = tensor::dtypeName(shape.type);
    reads.tableBytes = shape.bytes();
    reads.rowBytes = shape.rowBytes();
    reads.bytesPerToken = single.bytesPerToken();
    reads.pagesPerToken = single.pagesPerToken();
    reads.amplification = single.amplification();
    reads.batchPagesPerToken = window.pagesPerToken();
    reads.batch = batch;
    return reads;
}

std::vector<report::CacheCurve> cacheCurves(std::span<const std::int32_t> before, std::span<const std::int32_t> keys, std::int64_t rows, std::uint64_t rowBytes, const RunContext& context)
{
    const auto distances = reuseDistances(keys, context);
    std::vector<report::CacheCurve> curves{{"LRU", {}}, {"direct-mapped", {}}};
    if (!before.empty())
        curves.push_back({"static hot", {}});
    for (std::int64_t size = 1;; size = std::min(size * 2, rows)) {
        context.throwIfStopped();
        const auto bytes = static_cast<std::uint64_t>(size) * rowBytes;
        curves[0].points.push_back({size, bytes, leastRecentlyUsedHits(distances, size)});
        curves[1].points.push_back({size, bytes, directMappedHits(keys, size, context)});
        if (!before.empty())
            curves[2].points.push_back({size, bytes, staticHotHits(before, keys, size, context)});
        if (size >= rows)
            return curves;
    }
}

PageCount countReads(const EmbedTable& table, std::span<const Reads> reads, std::size_t window)
{
    PageCount sum;
    for (std::size_t first = 0; first < reads.size(); first += window) {
        const auto cells = cellTrace(reads.subspan(first, std::min(window, reads.size() - first)));
        if (cells.empty())
            continue;
        const PageCount count = countPages(table, cells, cells.size());
        sum.usefulBytes += count.usefulBytes;
        sum.readBytes += count.readBytes;
        sum.pages += count.pages;
    }
    sum.tokens = reads.size();
    return sum;
}

} // namespace tamis::addressing
