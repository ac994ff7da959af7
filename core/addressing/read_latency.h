// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// How long the rows of a token take to come, from memory and from the disk.
#include "core/addressing/embed_table.h"
#include "core/base/run_context.h"
#include "core/report/addressing_report.h"

#include <cstdint>
#include <span>
#include <vector>

namespace tamis::addressing {

/// The p-th quantile by nearest rank (the ceil(p n)-th smallest) of values, which are sorted in place; NaN of none.
double quantile(std::vector<double>& values, double p);

struct LatencySettings {
    std::size_t reads = 256; ///< batches that are timed, after a few that are not
    std::size_t batch = 1;   ///< tokens a read
    unsigned depth = 64;     ///< of io_uring
    bool cold = true;        ///< also with the file's pages dropped before each read, and past the page cache
};

/// mmap, pread and io_uring, warm; with `cold` the same with the pages dropped before every read, and O_DIRECT. The tokens are read in order, from the
/// start again where there are too few. What the system refuses is a row with its reason as `failure`. The same bytes are checked to come from each.
/// Throws Error{InvalidParameter (no token, one beyond the table, other bytes from another reader), Cancelled} and what the first mapping throws.
std::vector<report::ReadLatency> measureReads(const EmbedTable& table, std::span<const std::int32_t> tokens, const LatencySettings& settings, const RunContext& context);

} // namespace tamis::addressing
