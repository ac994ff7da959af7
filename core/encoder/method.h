// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The encoder lab's methods: one file pair each, one line in methods.cpp. A method builds a TopKEncoder for a dictionary.
#include "core/base/parameter_schema.h"
#include "core/base/run_context.h"
#include "core/encoder/dictionary.h"
#include "core/encoder/topk_encoder.h"
#include "core/encoder/trained_encoder.h"
#include "core/report/series.h"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tamis::encoder {

/// Immutable snapshot of what a method builds from.
struct Inputs {
    std::shared_ptr<const Dictionary> dictionary;
    tensor::Matrix<float> calibration; ///< prepared rows [t, D] to fit or train on; empty for methods that need none
    std::uint64_t seed = 0;
    /// Methods that train: the losses so far, called from the building thread every 100 ms or so; may be empty.
    std::function<void(const std::vector<report::Series>&)> trainingSeen;
    /// Methods that train: asked after every step; true ends training with the best parameters so far, which is no failure. May be empty.
    std::function<bool()> enough;
};

struct Built {
    EncoderPtr encoder;
    std::vector<std::string> warnings; ///< fall-backs and clamps, one sentence each
    std::vector<report::Series> training;           ///< losses by step: "training", "held out" (dashed); empty where nothing was trained
    std::shared_ptr<const TrainedEncoder> trained;  ///< what restore() makes the same encoder from; null where nothing was trained
};

struct Method {
    MethodDeclaration declaration;
    bool needsCalibration = false;
    bool trains = false; ///< takes minutes: left out of a comparison unless asked for
    /// Throws Error{InvalidParameter, NonFinite, Cancelled, OutOfMemory}.
    std::function<Built(const Inputs&, const Parameters&, const RunContext&)> build;
    /// Methods that train: the encoder that was written to a file; inputs.calibration is not used. Throws Error{MalformedFile} for tensors that
    /// are missing or of other shapes, Error{InvalidParameter} for one trained on another dictionary.
    std::function<EncoderPtr(const Inputs&, const TrainedEncoder&, const RunContext&)> restore;
    /// Methods that train: the parameters that training with these complete ones never reads, the finished encoder alone does; restore() takes a
    /// TrainedEncoder with other values of them. Empty function: none.
    std::function<std::vector<std::string>(const Parameters&)> afterTraining;
};

/// Every method of the lab, in menu order.
const std::vector<Method>& methods();
/// nullptr when there is none of that id.
const Method* findMethod(std::string_view id);

} // namespace tamis::encoder
