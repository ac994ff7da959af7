// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// One keep for the model -> a rank for each matrix.
#include "core/base/run_context.h"
#include "core/plan/accounting.h"
#include "core/plan/allocation_evidence.h"
#include "core/report/budget_report.h"
#include "core/report/spectrum_report.h"

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace tamis::plan {

enum class Allocation {
    Uniform, ///< every matrix gets the same keep
    Energy,  ///< every matrix gets the same relative loss loss[r] / loss[0]
    Greedy,  ///< exact marginal loss per unit (heap, over the lower convex hull of (cost, loss))
    LogLoss, ///< shares removed in proportion to 1 / log(loss) within a role (SVD-LLM v2)
    EffectiveRank, ///< a floor for all, the rest by loss and importance (Swift-SVD)
    DepthWeighted, ///< greedy, with losses of early blocks counted for more (LEMS)
    Sensitivity,   ///< the same bound on the measured harm of each matrix alone (ASVD's search); needs evidence
    MeasuredGreedy, ///< greedy on loss curves scaled to the measured harm of each matrix alone (after LEMS); needs evidence
    LossAware      ///< components removed so that first-order changes of the task loss cancel (ZS-SVD); needs evidence
};
std::string_view allocationName(Allocation allocation) noexcept; ///< "uniform", "log-loss", "effective-rank", ...
Allocation parseAllocation(std::string_view name);
/// Every allocation, in menu order.
std::span<const Allocation> allAllocations() noexcept;
/// True for those that need AllocationEvidence, measured with a model and samples, whatever their settings.
bool needsEvidence(Allocation allocation) noexcept;

/// Of the matrices, for `effective-rank`.
enum class Importance {
    EffectiveRank, ///< of the spectrum, over min(m, n)
    BlockInfluence ///< evidence: 1 - cos(input, output) of the matrix's block
};
std::string_view importanceName(Importance importance) noexcept; ///< "effective-rank", "block-influence"
Importance parseImportance(std::string_view name);

/// What one matrix's compression is measured by, for `sensitivity`.
enum class HarmMeasure {
    Divergence, ///< KL(dense || compressed), nats a prediction
    Likelihood  ///< growth of the negative log-likelihood of the samples' own labels or next tokens, nats
};
std::string_view harmName(HarmMeasure measure) noexcept; ///< "kl", "nll"
HarmMeasure parseHarm(std::string_view name);

/// Of single allocations: docs/methods/allocation.md.
struct AllocationSettings {
    double floor = 0.5;          ///< effective-rank: share of the uniform keep that every matrix gets, 0 .. 1 (delta)
    double importanceWeight = 0.5; ///< effective-rank: exponent a of the importance, 0 .. 1
    Importance importance = Importance::EffectiveRank;
    double leastLog = 1;         ///< log-loss: logarithms below this count as this, 1e-3 .. 10
    double mostRemoved = 0.9;    ///< log-loss: largest share removed of a matrix, 0 .. 1
    double depthGamma = 1;       ///< depth-weighted: the first block's loss counts 1 + gamma times, 0 .. 100
    double depthAlpha = 1;       ///< depth-weighted: 0 .. 10
    HarmMeasure harm = HarmMeasure::Divergence; ///< sensitivity
    bool searchImportanceWeight = false; ///< effective-rank in the low-rank lab: try 0, 0.1 .. 1 on samples; allocate() leaves it aside
    bool operator==(const AllocationSettings&) const = default;
};

struct Override {
    std::optional<std::int64_t> rank; ///< a rank chosen by hand; p or more means dense
    bool locked = false;              ///< the allocation leaves this matrix as it is (dense, or at `rank`)
    bool operator==(const Override&) const = default;
};

struct BudgetRequest {
    double keep = 0.6; ///< of the compressible matrices' cost in `unit`, 0 < keep <= 1
    Allocation allocation = Allocation::Greedy;
    Accounting accounting = Accounting::Factors;
    std::int64_t alignment = 1; ///< ranks are multiples of this (1, 8, 16, 32), at least one of it
    std::map<std::string, Override> overrides; ///< by matrix name
    BudgetUnit unit = BudgetUnit::Parameters;
    AllocationSettings settings = {};
    bool operator==(const BudgetRequest&) const = default;
};

/// `spectra`: every matrix of the model; those that are not compressible, have no curve or where low rank would not be
/// cheaper stay dense. `total`: whole model before. The budget is never exceeded unless overrides or the smallest aligned
/// ranks force it (then a warning says what is the least). Deterministic; 200 matrices of rank 4096 take under 100 ms.
/// Throws Error{InvalidParameter} for settings out of range and where evidence is missing (one sentence).
report::BudgetReport allocate(const report::SpectrumReport& spectra, const report::Cost& total, const BudgetRequest& request,
                              const RunContext& context = {});
report::BudgetReport allocate(const report::SpectrumReport& spectra, const report::Cost& total, const BudgetRequest& request,
                              const AllocationEvidence& evidence, const RunContext& context = {});

} // namespace tamis::plan
