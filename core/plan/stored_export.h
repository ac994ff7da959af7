// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Exports of plans that take their operators from a factor file: operators of any form, biases included. Internal to core/plan.
#include "core/nn/linear_op.h"
#include "core/plan/operator_content.h"
#include "core/plan/verify_export.h"

#include <map>
#include <string>

namespace tamis::plan {

/// By matrix name.
using StoredOperators = std::map<std::string, nn::LinearPtr>;

/// What `options` asks for of one operator. `replacement.adapterRank` is set with an adapter. Throws Error{UnsupportedFeature} for an
/// adapter of an operator that is no sum of low-rank products ("tiled", "remapped").
OperatorContent storedContent(Replacement& replacement, const nn::LinearOp& op, const io::Checkpoint& checkpoint, const ExportOptions& options, Spool& spool,
                              const RunContext& context);

/// Re-reads every operator: the factors must hold exactly the numbers of `operators` rounded to the factor type, the dense file
/// exactly their product rounded to its own, base and adapter must add up to the weights. Losses are measured from the files,
/// with the calibration's gram where `inputs` has one, and must then agree with the plan's to 1e-4 and what rounding the factors
/// to less than float32 adds; |W - W'|_F^2 otherwise. Throws Error{IoFailure} naming the first tensor that does not agree.
std::vector<VerifiedMatrix> verifyStored(const std::vector<Replacement>& replacements, const StoredOperators& operators, const spectrum::Inputs& inputs,
                                         const WrittenFiles& files, tensor::DType factorDType, const RunContext& context);

} // namespace tamis::plan
