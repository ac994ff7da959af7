// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// One keep for the model -> a rank for each matrix.
#include "core/base/run_context.h"
#include "core/plan/accounting.h"
#include "core/report/budget_report.h"
#include "core/report/spectrum_report.h"

#include <map>
#include <optional>
#include <string>

namespace tamis::plan {

enum class Allocation {
    Uniform, ///< every matrix gets the same keep
    Energy,  ///< every matrix gets the same relative loss loss[r] / loss[0]
    Greedy   ///< exact marginal loss per parameter (heap, over the lower convex hull of (cost, loss))
};
std::string_view allocationName(Allocation allocation) noexcept; ///< "uniform", "energy", "greedy"
Allocation parseAllocation(std::string_view name);

struct Override {
    std::optional<std::int64_t> rank; ///< a rank chosen by hand; p or more means dense
    bool locked = false;              ///< the allocation leaves this matrix as it is (dense, or at `rank`)
    bool operator==(const Override&) const = default;
};

struct BudgetRequest {
    double keep = 0.6; ///< of the compressible matrices' budget units, 0 < keep <= 1
    Allocation allocation = Allocation::Greedy;
    Accounting accounting = Accounting::Factors;
    std::int64_t alignment = 1; ///< ranks are multiples of this (1, 8, 16, 32), at least one of it
    std::map<std::string, Override> overrides; ///< by matrix name
    bool operator==(const BudgetRequest&) const = default;
};

/// `spectra`: every matrix of the model; those that are not compressible, have no curve or where low rank would not be
/// cheaper stay dense. `total`: whole model before. The budget is never exceeded unless overrides or the smallest aligned
/// ranks force it (then a warning says by how much). Deterministic; 200 matrices of rank 4096 take under 100 ms.
report::BudgetReport allocate(const report::SpectrumReport& spectra, const report::Cost& total, const BudgetRequest& request,
                              const RunContext& context = {});

} // namespace tamis::plan
