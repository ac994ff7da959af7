// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Writes what a plan says, re-opens it and verifies it: docs/formats.md.
#include "core/base/run_context.h"
#include "core/io/calibration.h"
#include "core/io/checkpoint.h"
#include "core/plan/plan.h"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace tamis::plan {

struct ExportOptions {
    bool factors = true; ///< factors.safetensors: <name>.lowrank_a [r, in], .lowrank_b [out, r], .lowrank_perm [in] (block identity)
    bool dense = true;   ///< model.safetensors: W' = B A in the checkpoint's dtype, everything else unchanged
    bool lora = false;   ///< lora/: PEFT residual: adapter_model.safetensors + adapter_config.json on a base without the operators' content
};

struct VerifiedMatrix {
    std::string tensor;
    double predictedLoss = 0, measuredLoss = 0; ///< squared, from the plan and from the files re-opened
    double relativeDifference = 0;
    bool withinTolerance = false;
};

struct ExportResult {
    std::vector<std::filesystem::path> files;
    std::vector<VerifiedMatrix> verified;
    report::Cost cost; ///< of what was written
};

/// Everything is written into a temporary directory beside `directory`, verified, then renamed: on any error nothing is left.
/// `directory` must not exist or be empty (Error{InvalidParameter}). Needs the model (and, for whitened losses, the
/// calibration) that the plan names by hash: a different hash is refused. Throws Error{IoFailure} on a full disk or a
/// read-only place, Error{Cancelled}.
ExportResult exportPlan(const Plan& plan, std::shared_ptr<const io::Checkpoint> checkpoint,
                        std::shared_ptr<const io::CalibrationSet> calibration, const std::filesystem::path& directory,
                        const ExportOptions& options, const RunContext& context);

} // namespace tamis::plan
