// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Rank and size accounting: docs/methods/rank-accounting.md. Pure integer arithmetic; no state, any thread.
#include "core/report/budget_report.h"

#include <cstdint>
#include <string_view>

namespace tamis::plan {

enum class Accounting {
    Factors,       ///< two factors: r (m + n)
    BlockIdentity, ///< identity junction (LatentLLM): r (m + n) - r^2, plus a permutation of n indices in bytes
    Remapped       ///< Dobi-SVD: min(m,n) rows at 8 bits, the rest at 16: 2 r max(m,n) bytes
};
std::string_view accountingName(Accounting accounting) noexcept; ///< "factors", "block-identity", "remapped"
/// Throws Error{InvalidParameter}.
Accounting parseAccounting(std::string_view name);

/// What a budget counts.
enum class BudgetUnit {
    Parameters, ///< stored numbers; for Remapped its bytes over dense ones of 16 bits
    Bytes,      ///< as stored, dense and factors in the checkpoint's own dtype: report::Cost::bytes
    Macs,       ///< multiplications a token: report::Cost::macs
    Latency     ///< predicted time of the operator: LatencyCurve
};
std::string_view unitName(BudgetUnit unit) noexcept; ///< "parameters", "bytes", "macs", "latency"
/// Throws Error{InvalidParameter}.
BudgetUnit parseUnit(std::string_view name);

/// Block identity stores its permutation as 64-bit indices (safetensors I64).
inline constexpr std::uint64_t kPermutationIndexBytes = 8;

// Every function below throws Error{InvalidParameter} unless 1 <= m, n and m n <= 2^52.

/// Largest rank whose cost stays within `keep` of dense, 0 < keep <= 1 (parameters; bytes at 16 bits for Remapped).
/// Factors: floor(keep m n / (m + n)). May be 0; at most min(m, n).
std::int64_t rankForKeep(Accounting accounting, std::int64_t m, std::int64_t n, double keep);

/// Largest rank that is strictly cheaper than dense in budget units: below m n / (m + n) for Factors, min(m, n) - 1
/// otherwise. 0 when there is none.
std::int64_t largestUsefulRank(Accounting accounting, std::int64_t m, std::int64_t n);

/// Cost of a rank-r replacement of an [m, n] matrix whose elements take `elementBytes` (F32: 4). Remapped counts its own.
/// 0 <= rank <= min(m, n); rank 0 costs nothing.
report::Cost costOfRank(Accounting accounting, std::int64_t m, std::int64_t n, std::int64_t rank, std::uint64_t elementBytes);
report::Cost costDense(std::int64_t m, std::int64_t n, std::uint64_t elementBytes);

/// What a budget is spent in: parameters; for Remapped bytes, with dense taken at 16 bits whatever the checkpoint's dtype.
std::int64_t budgetUnits(Accounting accounting, std::int64_t m, std::int64_t n, std::int64_t rank);
std::int64_t budgetUnitsDense(Accounting accounting, std::int64_t m, std::int64_t n);
/// floor(keep * units); a product within 4 units in the last place of a whole number counts as that number, so that 0.29
/// of 100 is 29. 0 <= units <= 2^53; throws Error{InvalidParameter} unless 0 < keep <= 1.
std::int64_t unitsForKeep(double keep, std::int64_t units);

} // namespace tamis::plan
