// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What it takes to read rows by token: layouts against each other, readers against each other.
#include "core/bench/bench.h"

#include <cstdint>
#include <filesystem>

namespace tamis::bench {

struct AddressingBenchInputs {
    std::int64_t layers = 12, width = 768; ///< of RWKV v8's first demonstration, in bf16
    std::int64_t tokens = 8192;            ///< of its 50,304: 151 MB a layout
    std::int64_t reads = 400;              ///< timed of each way, one token each
    std::int64_t prompts = 12;             ///< timed of each way, 256 tokens each
    std::filesystem::path directory;       ///< where two tables are written and removed; empty: the system's place
};

/// Medians of reads of one token and of 256 at once, tokens drawn by a Zipf law: token-major against layer-major from memory and from the disk, io_uring
/// against pread and mmap from the disk. The bound is bytes over a bandwidth measured here: of copies in memory, of 1 MiB reads in a row past the page cache. A
/// way that the system refuses has NaN and its reason as a note. Half a minute. Throws Error{IoFailure, InvalidParameter, Cancelled}.
std::vector<BenchResult> benchAddressing(const RunContext& context, const AddressingBenchInputs& inputs = {});

} // namespace tamis::bench
