// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Whitened factors of a checkpoint that is larger than memory: matrix by matrix from the mapped files, each kept on disk as soon as
// it is finished, resumed after whatever ended the process. docs/large-models.md.
#include "core/lowrank/method.h"
#include "core/plan/plan.h"

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace tamis::lowrank {

struct ShardRunOptions {
    std::filesystem::path out;  ///< directory for journal, parts, and in the end factors.safetensors and plan.json
    plan::BudgetRequest budget; ///< uniform without overrides: other allocations need every spectrum first
    double ridge = 1e-4;        ///< times the mean diagonal of C
};

struct ShardMatrix {
    report::LowRankMatrix matrix;
    bool resumed = false;  ///< finished by an earlier run
    double seconds = 0;    ///< 0 when resumed
};

struct ShardRunReport {
    report::LowRankReport report; ///< matrices in the checkpoint's order
    std::size_t resumed = 0;      ///< matrices that an earlier run had finished
    plan::Plan plan;              ///< as written
    double seconds = 0;
};

/// A matrix is on disk when this hears of it. From the thread that runs it.
using ShardFinished = std::function<void(const ShardMatrix&)>;

/// inputs.checkpoint and inputs.calibration are needed, the model is not: what has no calibration site stays dense, with a warning.
/// Memory is that of the largest matrix and its statistics (whitenedPairBytes), whatever the number of matrices, layers or shards.
/// Factors and plan depend on the inputs' contents and the options alone, not on interruptions or threads; a rerun in the same
/// directory goes on behind the last finished matrix, and returns at once when everything is there. One process at a time a directory. Reading one matrix and its
/// statistics is not interrupted by a stop; everything else sees one within 100 ms. Throws Error{InvalidParameter} (no calibration,
/// one of another model, an allocation that is not uniform, a directory of another run), Error{NonFinite} (the matrix; those before
/// it stay finished), Error{OutOfMemory, IoFailure, MalformedFile, Cancelled}.
ShardRunReport compressShards(const Inputs& inputs, const ShardRunOptions& options, const RunContext& context = {}, const ShardFinished& finished = {});

} // namespace tamis::lowrank
