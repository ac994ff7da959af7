// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What attention costs against the number of tokens: measured, and predicted from multiply-adds, bytes and the machine's ceilings.
#include "core/attention/method.h"
#include "core/report/attention_report.h"
#include "core/report/model_report.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace tamis::attention {

struct CurveChoice {
    std::string method; ///< "attention.nystrom"
    Parameters parameters;
};

struct CostCurveSettings {
    std::vector<std::int64_t> tokens{64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384}; ///< ascending, from 1 on
    double secondsPerSize = 0.25;                       ///< an operator's repetitions at one size end after so long; there is one at least
    double slowestSeconds = 20;                         ///< sizes predicted to take longer than this once are left out
    std::uint64_t memoryLimit = std::uint64_t{2} << 30; ///< bytes: rows of one size and the scratch of all threads
    std::uint64_t seed = 1;                             ///< of the queries, keys and values
    report::Ceilings ceilings;                          ///< gflops 0: this machine's, measured
};

/// What one apply() moves at least, in floats of 4 bytes: q, k and v read, the output written, scratch written and read, once each.
std::uint64_t leastBytes(const nn::AttentionSpec& spec, const nn::AttentionOp& op, std::int64_t tokens);
/// The slower of 2 macs / gflops and bytes / bandwidth.
double predictedMs(std::uint64_t macs, std::uint64_t bytes, const report::Ceilings& ceilings);
/// The tokens from which `other` stays below `exact`, between two sizes on straight lines of log time over log tokens; the first size where it is
/// below from there on, kNotMeasured where it is not below at the last. Sizes where one of them is not a number are left out. Spans alike in length.
double crossover(std::span<const std::int64_t> tokens, std::span<const double> exact, std::span<const double> other);

/// The operators of one block, all heads, on normal random rows of deviation 1, at every size in turn: exact first, then the choices in their order;
/// of each the best of its repetitions. `inputs` is of a block (inputsFor()); where it has a grid, a size is the prefix and the square of
/// patches nearest to it (rows say how many tokens that is), and methods that fit do so to the very rows they are measured on. A size that would exceed a limit, or that an operator refuses, says
/// so in the row's `failure`. Exact is tiledAttention() as it chooses its tiles: the kernel of exactAttention(), but stopped between tiles. Progress
/// by multiply-adds. Throws Error{InvalidParameter (no such method, sizes not ascending), UnsupportedFeature (attention in windows of a
/// grid), Cancelled}: within 100 ms, where operators look at their scratch's context between heads.
std::vector<report::AttentionCostCurve> costCurves(const Inputs& inputs, std::span<const CurveChoice> choices, const CostCurveSettings& settings,
                                                   const RunContext& context = {});

} // namespace tamis::attention
