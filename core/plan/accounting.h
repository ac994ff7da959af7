// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Rank and size accounting: ../../docs/methods/rank-accounting.md.
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

/// Largest rank whose cost stays within `keep` of dense, 0 < keep <= 1 (parameters; bytes at 16 bits for Remapped).
/// Factors: floor(keep m n / (m + n)). May be 0.
std::int64_t rankForKeep(Accounting accounting, std::int64_t m, std::int64_t n, double keep);

/// Cost of a rank-r replacement of an [m, n] matrix whose elements take `elementBytes` (F32: 4). Remapped counts its own.
report::Cost costOfRank(Accounting accounting, std::int64_t m, std::int64_t n, std::int64_t rank, std::uint64_t elementBytes);
report::Cost costDense(std::int64_t m, std::int64_t n, std::uint64_t elementBytes);

/// What a budget is spent in: parameters (bytes for Remapped).
double budgetUnits(Accounting accounting, const report::Cost& cost) noexcept;

} // namespace tamis::plan
