// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The low-rank lab's methods: one file pair each, one line in methods.cpp. A method replaces linear operators of a model by
// cheaper ones within a budget; what it replaced is a Compression, which stores as factors and a plan (stored_compression.h).
#include "core/base/parameter_schema.h"
#include "core/base/run_context.h"
#include "core/io/calibration.h"
#include "core/io/checkpoint.h"
#include "core/measure/sample_source.h"
#include "core/nn/model.h"
#include "core/plan/allocate.h"
#include "core/report/lowrank_report.h"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tamis::lowrank {

/// Immutable snapshot of what a run works on.
struct Inputs {
    std::shared_ptr<const io::Checkpoint> checkpoint;
    std::shared_ptr<const nn::Model> model;               ///< the dense model of it
    std::shared_ptr<const io::CalibrationSet> calibration; ///< may be null for methods that need none
    std::shared_ptr<const measure::SampleSource> samples;  ///< to calibrate or train on; may be null for methods that run no model
    std::vector<std::string> matrices;                     ///< names to compress; empty: every compressible matrix of the layout
};

struct CompressedOperator {
    std::string name;            ///< as nn::Model::find() knows it
    nn::LinearPtr op;            ///< what to put there, its bias included
    report::LowRankMatrix matrix;
};

struct Compression {
    std::vector<CompressedOperator> operators; ///< those that were replaced, in execution order
    report::LowRankReport report;
};

/// Called for each operator as soon as it is final, from the thread that runs the method: partial results.
using Finished = std::function<void(const CompressedOperator&)>;

struct Method {
    MethodDeclaration declaration;
    bool needsCalibration = true;
    bool needsSamples = false; ///< runs the model: sequential, attention-map and trained methods
    bool trains = false;       ///< takes minutes: left out of a comparison unless asked for
    /// Throws Error{InvalidParameter, NonFinite, Cancelled, OutOfMemory}; operators that were finished before stay with `finished`.
    std::function<Compression(const Inputs&, const plan::BudgetRequest&, const Parameters&, const RunContext&, const Finished&)> compress;
};

/// Every method of the lab, in menu order.
const std::vector<Method>& methods();
/// nullptr when there is none of that id.
const Method* findMethod(std::string_view id);

/// The model with the operators of `compression`.
std::shared_ptr<const nn::Model> compressed(const nn::Model& model, const Compression& compression);

} // namespace tamis::lowrank
