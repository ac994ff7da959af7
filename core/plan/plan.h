// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A plan: which operators are replaced by what. JSON, schema tamis.plan/1: docs/formats.md.
#include "core/base/parameter_schema.h"
#include "core/plan/allocate.h"
#include "core/plan/planned_cache.h"
#include "core/plan/planned_reuse.h"
#include "core/plan/planned_tokens.h"
#include "core/report/budget_report.h"
#include "core/report/spectrum_report.h"
#include "core/spectrum/method.h"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace tamis::plan {

struct PlannedOperator {
    std::string tensor; ///< full tensor name
    std::string name;   ///< without ".weight"
    std::string layout; ///< "dense", "factors", "block-identity", "remapped"; with stored factors any nn::LinearOp::kind()
    std::int64_t rank = 0;
    std::int64_t rows = 0, cols = 0;
    bool locked = false, overridden = false;
    double predictedLoss = 0;
    double predictedRelativeLoss = 0;
    bool operator==(const PlannedOperator&) const = default;
};

/// The attention lab's operator for a block, or for one head of it. What method and parameters may be is the lab's to say, when it is made.
struct PlannedAttention {
    int block = 0;
    std::int64_t head = -1; ///< -1: all heads of the block
    std::string method;     ///< "attention.nystrom"; empty: exact
    Parameters parameters;
    bool operator==(const PlannedAttention&) const = default;
};

struct Plan {
    std::string modelPath, modelSha256;
    std::string calibrationPath, calibrationSha256;
    /// A safetensors file that holds the replaced operators, in the form that nn::TensorBinding reads, for methods whose factors
    /// cannot be computed again from model and calibration set alone; empty: the method computes them. In JSON relative to
    /// the plan where it stands in the same directory; absolute after readPlan().
    std::string factorsPath, factorsSha256;
    std::string method;    ///< decomposition, "spectrum.whitened"
    Parameters parameters; ///< of the method
    BudgetRequest budget;
    std::int64_t seed = 0;
    std::vector<PlannedOperator> operators; ///< one a matrix; empty: all as they are, and `method` is
    std::optional<PlannedTokens> tokens;    ///< of vision transformers
    std::vector<PlannedAttention> attention; ///< in place of the exact attention; of the same heads the last one holds
    std::int64_t attentionSeed = 0;         ///< what random features and projections are drawn by
    std::optional<PlannedCache> cache;      ///< beside the model: no operator depends on it
    std::optional<PlannedReuse> reuse;      ///< between frames: no operator depends on it; a single sample is run whole
    report::Cost cost, baseline;
    double predictedLoss = 0, predictedRelativeLoss = 0;
    bool operator==(const Plan&) const = default;
};

/// Text of tamis.plan/1, stable key order, two-space indentation.
std::string planToJson(const Plan& plan);
/// Throws Error{MalformedFile (what, where), UnsupportedFeature (a newer version), LimitExceeded}.
Plan planFromJson(std::string_view json, const std::string& subject);
/// At most 64 MiB.
Plan readPlan(const std::filesystem::path& file);
void writePlan(const std::filesystem::path& file, const Plan& plan); ///< atomic

/// The plan that a budget report describes. The seed is the method's integer parameter "seed" where it has one. Without
/// `inputs` the paths and hashes stay empty and tensor names are the matrix names with ".weight"; with them they are
/// filled (hashing reads the files once). Throws Error{InvalidParameter} when budget and spectra do not belong together.
Plan makePlan(const report::SpectrumReport& spectra, const report::BudgetReport& budget, const BudgetRequest& request);
Plan makePlan(const spectrum::Inputs& inputs, const report::SpectrumReport& spectra, const report::BudgetReport& budget,
              const BudgetRequest& request, const RunContext& context = {});

} // namespace tamis::plan
