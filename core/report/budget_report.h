// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What a budget (one keep for the model, an allocation, overrides) gives: ranks, costs, predicted losses.
#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace tamis::report {

struct Cost {
    std::uint64_t parameters = 0;
    std::uint64_t bytes = 0;
    std::uint64_t macs = 0; ///< a token, linear operators only
    double latencyMs = std::numeric_limits<double>::quiet_NaN(); ///< measured for `latencyTokens` tokens; NaN: not measured
    bool operator==(const Cost&) const = default;
};

/// The same keep in one accounting (docs/methods/rank-accounting.md).
struct RankChoice {
    std::string accounting; ///< "factors", "block-identity", "remapped"
    std::int64_t rank = 0;
    Cost cost;
};

struct MatrixBudget {
    std::string name;
    std::int64_t rank = 0; ///< p when dense
    bool dense = true;     ///< left as it is
    bool locked = false, overridden = false;
    double keep = 1;         ///< parameters (bytes for remapped) of the chosen form over dense
    double loss = 0;         ///< predicted, squared
    double relativeLoss = 0; ///< loss / loss at rank 0
    double heldOutRelativeLoss = std::numeric_limits<double>::quiet_NaN();
    Cost cost;
    std::array<RankChoice, 3> sameKeep; ///< the three accountings side by side at this matrix's keep
};

struct BudgetReport {
    double keep = 1; ///< asked for, of the compressible matrices' cost in `unit`
    double achievedKeep = 1; ///< in `unit`, too
    std::string allocation, accounting;
    std::int64_t alignment = 1;
    std::vector<MatrixBudget> matrices; ///< one a spectrum, same order
    std::array<RankChoice, 3> sameKeepTotals; ///< sums over the compressible matrices at the asked keep
    Cost before, after;                 ///< whole model
    double predictedLoss = 0;           ///< sum over the replaced matrices
    double predictedRelativeLoss = 0;   ///< mean over compressible matrices of loss / loss[0]
    std::uint64_t latencyTokens = 0;
    std::vector<std::string> warnings;
    std::string unit = "parameters"; ///< of the budget: "parameters", "bytes", "macs", "latency"
};

/// A configuration worth comparing.
struct OperatingPoint {
    std::string label;
    std::string settings; ///< one line: method, keep, allocation, accounting, alignment, ridge
    double keep = 1;
    Cost cost;
    double relativeLoss = 0;
    bool onFront = false; ///< no other point is better in both cost.parameters and relativeLoss
    bool baseline = false; ///< uniform plain SVD, or the dense model
};

} // namespace tamis::report
