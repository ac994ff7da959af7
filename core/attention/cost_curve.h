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
    double secondsPerSize = 0.25;                                ///< an operator's repetitions at one size stop after so long, but not before the second
    double slowestSeconds = 20;                                  ///< sizes predicted to take longer than this once are left out
    std::uint64_t memoryLimit = std::uint64_t{2} << 30;          ///< bytes: inputs, output and scratch of one size
    std::uint64_t seed = 1;                                      ///< of the queries, keys and values
    report::Ceilings ceilings;                                   ///< cost::machineCeilings(); gflops 0: nothing is predicted
};

/// What one apply() moves at least: q, k, v and x read, the output written, scratch written and read, once each. Floats of 4 bytes.
std::uint64_t leastBytes(const Inputs& inputs, const nn::AttentionOp& op, std::int64_t tokens);
/// The later of the ceilings: 2 macs / gflops and bytes / bandwidth; kNotMeasured without ceilings.
double predictedMs(std::uint64_t macs, std::uint64_t bytes, const report::Ceilings& ceilings);
/// The tokens from which `other` stays below `exact`, between sizes by straight lines of log time over log tokens; the first size where it is
/// below from the first on, kNotMeasured where it is not below at the last. Rows that are not numbers in both are left out. Spans alike in length.
double crossover(std::span<const std::int64_t> tokens, std::span<const double> exact, std::span<const double> other);

/// The operators of one block, all heads, on normal random rows of deviation 1, each at every size: exact first, then the choices in their order, in
/// turn at each size, the best of its repetitions. `inputs` is of a block (inputsFor()); where it has a grid, a size's patches are in the
/// squarest grid that holds them, and methods that fit do so to the very rows they are measured on. Sizes that would exceed a limit, and what an
/// operator throws, stand in the row's `failure`. Progress by work; throws Error{InvalidParameter (no such method, sizes not ascending, spec in windows),
/// Cancelled} - within 100 ms, for exact attention and operators that look at their scratch's context between heads.
std::vector<report::AttentionCostCurve> costCurves(const Inputs& inputs, std::span<const CurveChoice> choices, const CostCurveSettings& settings,
                                                   const RunContext& context = {});

} // namespace tamis::attention
