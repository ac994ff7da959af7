// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What a method's rows cost to read, as its report says it. Private to the lab.
#include "core/addressing/addresser.h"
#include "core/addressing/method.h"
#include "core/addressing/page_count.h"
#include "core/addressing/read_latency.h"

#include <filesystem>
#include <span>
#include <vector>

namespace tamis::addressing {

/// Parameters that every method has for its table and its readers: type, window, reader-depth, reads, cold.
std::vector<ParameterSpec> readingParameters();
tensor::DType tableType(const Parameters& parameters);
LatencySettings latencySettings(const Parameters& parameters);

/// A directory with a name of its own, removed with what is in it.
class ScratchDirectory {
public:
    /// Inside `parent`; empty: the system's place. Throws Error{IoFailure}.
    explicit ScratchDirectory(const std::filesystem::path& parent);
    ~ScratchDirectory();
    ScratchDirectory(const ScratchDirectory&) = delete;
    ScratchDirectory& operator=(const ScratchDirectory&) = delete;
    const std::filesystem::path& path() const noexcept { return m_path; }

private:
    std::filesystem::path m_path;
};

/// All tokens of the source, sample by sample. Throws Error{LimitExceeded} for more than 16 Mi of them.
std::vector<std::int32_t> tokenTrace(const measure::SampleSource& source, const RunContext& context);

report::TableReads tableReads(const TableShape& shape, const PageCount& single, const PageCount& window, std::uint64_t batch);
/// One curve a policy, sizes 1, 2, 4 ... to all `rows`. `before`: the trace that static rows are chosen by; empty: no such curve. Throws Error{Cancelled}.
std::vector<report::CacheCurve> cacheCurves(std::span<const std::int32_t> before, std::span<const std::int32_t> keys, std::int64_t rows, std::uint64_t rowBytes, const RunContext& context = {});
/// Of cells: a batch is the reads of `window` rows.
PageCount countReads(const EmbedTable& table, std::span<const Reads> reads, std::size_t window);

} // namespace tamis::addressing
