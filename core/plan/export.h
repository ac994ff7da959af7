// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Writes what a plan says, re-opens it and verifies it: docs/formats.md.
#include "core/base/run_context.h"
#include "core/io/calibration.h"
#include "core/io/checkpoint.h"
#include "core/plan/plan.h"

#include <filesystem>
#include <limits>
#include <memory>
#include <string>
#include <vector>

namespace tamis::plan {

struct ExportOptions {
    bool factors = true; ///< factors.safetensors: <name>.lowrank_a [r, in], .lowrank_b [out, r]; block identity: .lowrank_a
                         ///< is the coefficients [r, in - r], .lowrank_perm [in] I64 feeds column j of [I, coefficients].
                         ///< With a config.json also tamis_model.py, which runs them in PyTorch
    bool dense = true;   ///< model.safetensors: W' = B A in the checkpoint's dtype, everything else byte for byte
    bool lora = false;   ///< lora/: base/model.safetensors holds W - B A, the PEFT adapter B A: base + adapter = W
    tensor::DType factorDType = tensor::DType::F32; ///< F32, F16 or BF16: of factors and adapter
    std::uint64_t maxShardBytes = 4'000'000'000;    ///< dense and base files larger than this are written in shards
};

struct VerifiedMatrix {
    std::string tensor;
    double predictedLoss = 0, measuredLoss = 0; ///< squared, from the plan and from the files re-opened (factors, else dense, else adapter)
    double relativeDifference = 0;              ///< |measured - predicted| / predicted
    double denseLoss = std::numeric_limits<double>::quiet_NaN(); ///< from model.safetensors; NaN when it is not written
    double loraDifference = std::numeric_limits<double>::quiet_NaN(); ///< |base + adapter - W|_F / |W|_F; NaN when not written
    bool withinTolerance = false;
};

struct ExportResult {
    std::vector<std::filesystem::path> files;
    std::vector<VerifiedMatrix> verified;
    report::Cost cost; ///< of the whole model with the factors as written (parameters, bytes, MACs)
};

/// Where the plan has attention or tokens, which no file of weights holds, plan.json stands beside the weights: every block's and head's method and settings.
/// Everything is written into a temporary directory beside `directory`, verified, then renamed: on any error nothing is left.
/// `directory` must not exist or be empty (Error{InvalidParameter}). Needs the model (and, for whitened losses, the
/// calibration) that the plan names by hash: a different hash is refused. A "remapped" operator is an accounting and is
/// refused (Error{UnsupportedFeature}). Throws Error{IoFailure} on a full disk, in a read-only place, or when what was
/// written does not verify; Error{Cancelled}.
ExportResult exportPlan(const Plan& plan, std::shared_ptr<const io::Checkpoint> checkpoint,
                        std::shared_ptr<const io::CalibrationSet> calibration, const std::filesystem::path& directory,
                        const ExportOptions& options, const RunContext& context);

} // namespace tamis::plan
