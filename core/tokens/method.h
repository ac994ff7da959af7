// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The token lab's methods: one file pair each, one line in methods.cpp. A method makes a chain of steps for a model.
#include "core/base/parameter_schema.h"
#include "core/base/run_context.h"
#include "core/io/checkpoint.h"
#include "core/measure/sample_source.h"
#include "core/nn/model.h"
#include "core/report/series.h"
#include "core/tokens/reduction.h"
#include "core/tokens/trained_parts.h"

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace tamis::tokens {

/// Immutable snapshot of what a method makes its chain from.
struct Inputs {
    std::shared_ptr<const nn::Model> model;                   ///< vision transformer with one token grid
    std::shared_ptr<const measure::SampleSource> calibration; ///< for methods that are fitted or trained; else may be null
    std::shared_ptr<const io::Checkpoint> checkpoint;         ///< the model's, for scores by gradients and for training; else may be null
    std::shared_ptr<const TrainedParts> trained;              ///< of this method for this model, where it trains; else may be null
    std::stop_token enough;                                   ///< ends training with the best so far
    /// The losses so far, called from the training thread every 100 ms or so; may be empty.
    std::function<void(const std::vector<report::Series>&)> trainingSeen{};
};

struct Method {
    MethodDeclaration declaration;
    bool needsCalibration = false; ///< to make the chain
    bool baseline = false;         ///< trivial: random pruning, uniform down-sampling
    /// Whether the chain of these complete parameters takes something from inputs.calibration; null: none does, but as needsCalibration says. No throw.
    std::function<bool(const Parameters&)> calibrates{};
    /// Settings to compare on such a model, all of the same parameters, from little saved to much; null or none: as comparison.h says.
    std::function<std::vector<Parameters>(const nn::ModelSpec&)> spread{};
    /// Throws Error{InvalidParameter (also: untrained), UnsupportedFeature (a model that it is not for), Cancelled}.
    std::function<Chain(const Inputs&, const Parameters&, const RunContext&)> chain;
    /// Trains on inputs.calibration, with inputs.checkpoint; null where there is nothing to train. Throws as chain.
    std::function<TrainedParts(const Inputs&, const Parameters&, const RunContext&)> train;
    std::vector<std::string> afterTraining; ///< names of parameters that only chain() reads: they move without another training
    /// Whether chain() with these parameters reads photos or the checkpoint, or searches: too long between two steps of a slider. Complete parameters; empty: never.
    std::function<bool(const Parameters&)> slowToMake;
    bool isSlowToMake(const Parameters& complete) const { return slowToMake && slowToMake(complete); }
    bool trains() const noexcept { return static_cast<bool>(train); }
};

/// One parameter at each of these values: what Method::spread may be.
std::vector<Parameters> settingsOver(const std::string& name, const std::vector<ParameterValue>& values);

/// Every method of the lab, in menu order.
const std::vector<Method>& methods();
/// nullptr when there is none of that id.
const Method* findMethod(std::string_view id);

} // namespace tamis::tokens
