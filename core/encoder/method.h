// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The encoder lab's methods: one file pair each, one line in methods.cpp. A method builds a TopKEncoder for a dictionary.
#include "core/base/parameter_schema.h"
#include "core/base/run_context.h"
#include "core/encoder/dictionary.h"
#include "core/encoder/topk_encoder.h"
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
};

struct Built {
    EncoderPtr encoder;
    std::vector<std::string> warnings; ///< fall-backs and clamps, one sentence each
    report::Series trainingLoss;       ///< by step; empty where nothing was trained
};

struct Method {
    MethodDeclaration declaration;
    bool needsCalibration = false;
    bool trains = false; ///< takes minutes: left out of a comparison unless asked for
    /// Throws Error{InvalidParameter, NonFinite, Cancelled, OutOfMemory}.
    std::function<Built(const Inputs&, const Parameters&, const RunContext&)> build;
};

/// Every method of the lab, in menu order.
const std::vector<Method>& methods();
/// nullptr when there is none of that id.
const Method* findMethod(std::string_view id);

} // namespace tamis::encoder
