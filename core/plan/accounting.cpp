// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/plan/accounting.h"

#include "core/base/error.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

namespace tamis::plan {
namespace {
constexpr std::int64_t kMaximumElements = std::int64_t{1} << 52; // keeps 2 m n exact in a double

void requireShape(std::int64_t m, std::int64_t n)
{
    if (m < 1 || n < 1 || m > kMaximumElements / n)
        throw Error(ErrorCode::InvalidParameter, "found a matrix of " + std::to_string(m) + " x " + std::to_string(n) +
                                                     ", expected at least 1 x 1 and at most 2^52 elements");
}

void requireRank(std::int64_t m, std::int64_t n, std::int64_t rank)
{
    requireShape(m, n);
    if (rank < 0 || rank > std::min(m, n))
        throw Error(ErrorCode::InvalidParameter, "found rank " + std::to_string(rank) + " for a matrix of " + std::to_string(m) +
                                                     " x " + std::to_string(n) + ", expected 0 to " +
                                                     std::to_string(std::min(m, n)));
}

// Largest r with r (m + n) - r^2 <= units: the smaller root of the parabola. The square root may be off by a rounding, the
// integer comparison decides.
std::int64_t blockIdentityRank(std::int64_t m, std::int64_t n, std::int64_t units)
{
    const std::int64_t sum = m + n, p = std::min(m, n);
    const auto cost = [sum](std::int64_t r) { return r * (sum - r); };
    const double s = static_cast<double>(sum);
    const double root = (s - std::sqrt(std::max(0.0, s * s - 4.0 * static_cast<double>(units)))) / 2.0;
    std::int64_t rank = std::clamp(static_cast<std::int64_t>(root), std::int64_t{0}, p);
    while (rank > 0 && cost(rank) > units)
        --rank;
    while (rank < p && cost(rank + 1) <= units)
        ++rank;
    return rank;
}
} // namespace

std::string_view accountingName(Accounting accounting) noexcept
{
    switch (accounting) {
    case Accounting::Factors: return "factors";
    case Accounting::BlockIdentity: return "block-identity";
    case Accounting::Remapped: return "remapped";
    }
    return "factors";
}

Accounting parseAccounting(std::string_view name)
{
    for (const auto accounting : {Accounting::Factors, Accounting::BlockIdentity, Accounting::Remapped})
        if (accountingName(accounting) == name)
            return accounting;
    throw Error(ErrorCode::InvalidParameter,
                "found '" + std::string(name) + "', expected factors, block-identity or remapped", "accounting");
}

std::string_view unitName(BudgetUnit unit) noexcept
{
    switch (unit) {
    case BudgetUnit::Parameters: return "parameters";
    case BudgetUnit::Bytes: return "bytes";
    case BudgetUnit::Macs: return "macs";
    case BudgetUnit::Latency: return "latency";
    }
    return "parameters";
}

BudgetUnit parseUnit(std::string_view name)
{
    for (const auto unit : {BudgetUnit::Parameters, BudgetUnit::Bytes, BudgetUnit::Macs, BudgetUnit::Latency})
        if (unitName(unit) == name)
            return unit;
    throw Error(ErrorCode::InvalidParameter, "found '" + std::string(name) + "', expected parameters, bytes, macs or latency", "unit");
}

std::int64_t unitsForKeep(double keep, std::int64_t units)
{
    if (!(keep > 0 && keep <= 1))
        throw Error(ErrorCode::InvalidParameter, "expected a keep above 0 and at most 1", "keep");
    if (units < 0 || units > 2 * kMaximumElements)
        throw Error(ErrorCode::InvalidParameter, "expected 0 to 2^53 units", "budget");
    const double product = keep * static_cast<double>(units);
    const double nearest = std::round(product);
    const double whole =
        std::abs(product - nearest) <= 4 * std::numeric_limits<double>::epsilon() * nearest ? nearest : std::floor(product);
    return static_cast<std::int64_t>(whole);
}

std::int64_t rankForKeep(Accounting accounting, std::int64_t m, std::int64_t n, double keep)
{
    const std::int64_t units = unitsForKeep(keep, budgetUnitsDense(accounting, m, n));
    switch (accounting) {
    case Accounting::Factors: return units / (m + n); // below min(m, n), since m n / (m + n) is
    case Accounting::BlockIdentity: return blockIdentityRank(m, n, units);
    case Accounting::Remapped: return units / (2 * std::max(m, n));
    }
    return 0;
}

std::int64_t largestUsefulRank(Accounting accounting, std::int64_t m, std::int64_t n)
{
    requireShape(m, n);
    if (accounting == Accounting::Factors)
        return (m * n - 1) / (m + n);
    return std::min(m, n) - 1;
}

std::int64_t budgetUnits(Accounting accounting, std::int64_t m, std::int64_t n, std::int64_t rank)
{
    requireRank(m, n, rank);
    switch (accounting) {
    case Accounting::Factors: return rank * (m + n);
    case Accounting::BlockIdentity: return rank * (m + n - rank);
    case Accounting::Remapped: return 2 * rank * std::max(m, n);
    }
    return 0;
}

std::int64_t budgetUnitsDense(Accounting accounting, std::int64_t m, std::int64_t n)
{
    requireShape(m, n);
    return (accounting == Accounting::Remapped ? 2 : 1) * m * n;
}

report::Cost costOfRank(Accounting accounting, std::int64_t m, std::int64_t n, std::int64_t rank, std::uint64_t elementBytes)
{
    requireRank(m, n, rank);
    report::Cost cost;
    const auto layout = accounting == Accounting::BlockIdentity ? Accounting::BlockIdentity : Accounting::Factors;
    cost.parameters = static_cast<std::uint64_t>(budgetUnits(layout, m, n, rank));
    cost.macs = cost.parameters; // each stored coefficient is multiplied once a token
    cost.bytes = cost.parameters * elementBytes;
    if (accounting == Accounting::BlockIdentity && rank > 0)
        cost.bytes += static_cast<std::uint64_t>(n) * kPermutationIndexBytes;
    if (accounting == Accounting::Remapped)
        cost.bytes = static_cast<std::uint64_t>(budgetUnits(accounting, m, n, rank));
    return cost;
}

report::Cost costDense(std::int64_t m, std::int64_t n, std::uint64_t elementBytes)
{
    requireShape(m, n);
    report::Cost cost;
    cost.parameters = static_cast<std::uint64_t>(m * n);
    cost.macs = cost.parameters;
    cost.bytes = cost.parameters * elementBytes;
    return cost;
}

} // namespace tamis::plan
