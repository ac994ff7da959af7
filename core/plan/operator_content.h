// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What an export writes for one replaced operator. Internal to core/plan.
#include "core/base/run_context.h"
#include "core/io/checkpoint.h"
#include "core/plan/export.h"
#include "core/plan/plan.h"
#include "core/plan/tensor_output.h"
#include "core/spectrum/method.h"

#include <optional>
#include <vector>

namespace tamis::plan {

/// A replaced operator and where it is in the checkpoint.
struct Replacement {
    const PlannedOperator* planned = nullptr;
    const io::MatrixRef* matrix = nullptr;
    const io::TensorEntry* entry = nullptr;
    std::int64_t adapterRank = 0; ///< of the adapter where it is not the planned rank
};

/// The operators that the plan replaces, in its order. Throws Error{InvalidParameter} when the checkpoint has no such matrix
/// or one of another shape, Error{UnsupportedFeature} for an operator that cannot be written ("remapped").
std::vector<Replacement> replacements(const Plan& plan, const io::Checkpoint& checkpoint);

struct OperatorContent {
    std::vector<OutputTensor> factors; ///< lowrank_a, lowrank_b and lowrank_perm
    std::optional<OutputTensor> dense, base;
    std::vector<OutputTensor> adapter; ///< lora_A, lora_B
    std::optional<OutputTensor> bias;  ///< <name>.bias of the dense and base files
    bool replacesBias = false;         ///< the checkpoint's bias is not copied: factors hold their own
};

/// Computes the factors once and spools everything that `options` asks for. Throws what Method::factors throws, and
/// Error{UnsupportedFeature} when the tensor's dtype cannot hold a result (integers).
OperatorContent computeContent(const Replacement& replacement, const spectrum::Method& method, const spectrum::Inputs& inputs,
                               const Parameters& parameters, const ExportOptions& options, Spool& spool,
                               const RunContext& context);

/// Names of the tensors in the files.
std::string factorName(const std::string& matrix, const char* which); ///< which: "a", "b", "perm"
std::string adapterName(const std::string& matrix, char which);       ///< which: 'A', 'B'

/// [I, coefficients] permuted: the A [r, n] that the block-identity form stands for. Throws Error{MalformedFile} when
/// `permutation` is none or of another length.
tensor::Matrix<double> expandedA(const tensor::Matrix<double>& coefficients, const std::vector<std::int64_t>& permutation);

/// Largest error of rounding x into `type` (floating types): half a unit in the last place, subnormals included.
double roundingError(tensor::DType type, double x) noexcept;

} // namespace tamis::plan
