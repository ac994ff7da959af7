// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Methods at several settings over a folder of photos: what each keeps of the whole model and what it costs, computed and measured.
#include "core/base/run_context.h"
#include "core/measure/sample_source.h"
#include "core/report/token_report.h"
#include "core/tokens/method.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace tamis::tokens {

/// One thing to compare.
struct ComparedSetting {
    std::string method;    ///< id
    Parameters parameters; ///< those that differ from the defaults, at least
    std::shared_ptr<const TrainedParts> trained{}; ///< of a method that trains, for the model; else null
};

/// A method at several values of what says how much goes: as its own Method::spread says; else its parameter `keep`, a share, or `r`, tokens a
/// block, or `most`, patches, for what `spec` has. Once where it has none of them, and once where `given` says it. Everything else as in `given`.
std::vector<ComparedSetting> spreadSettings(const Method& method, const Parameters& given, const nn::ModelSpec& spec);
/// That of every method that trains nothing and needs no file of the user's, at its defaults.
std::vector<ComparedSetting> usualSettings(const nn::ModelSpec& spec);
/// What was trained, with the settings it was trained with, and at several values of what its method reads after training.
/// Throws Error{InvalidParameter} for parts of a method that trains nothing.
std::vector<ComparedSetting> trainedSettings(std::shared_ptr<const TrainedParts> trained, const nn::ModelSpec& spec);
/// Those parameters that have not their defaults, as "keep 0.5, fuse false".
std::string settingsText(const ParameterSchema& schema, const Parameters& parameters);

struct ComparisonOptions {
    std::int64_t batch = 8;       ///< photos a measured pass; the first ones, over again where there are fewer
    double latencySeconds = 0.25; ///< of each point, at least three rounds; 0: latency is not measured
    std::size_t sampleBytes = std::size_t{256} << 20; ///< of prepared photos kept between points; others are read again
};

/// Each setting on all photos of `samples`, beside the whole model, the first point. Photos that cannot be read are left out and named in the
/// warnings; so are labels beyond the model's classes. `finished` is called with all points so far. A setting that cannot be carried out is a
/// point with a failure. Points, times apart, do not depend on the number of threads. Throws what requireReducible throws,
/// Error{InvalidParameter} where no photo can be read, Error{NonFinite} for the whole model's outputs, Error{Cancelled}.
report::TokenComparison compareMethods(const Inputs& inputs, const measure::SampleSource& samples, const std::vector<ComparedSetting>& settings, const ComparisonOptions& options = {},
                                       const RunContext& context = {}, const std::function<void(const report::TokenComparison&)>& finished = {});

/// What points are judged by: accuracy where there are labels, else agreement with the whole model, else the features' closeness to its (1 - shift).
double comparedQuality(const report::TokenComparison& comparison, const report::TokenPoint& point);
/// [points] whether no other has as few multiply-adds and as much quality, and one of them better. Failed ones: never.
std::vector<bool> paretoFront(const report::TokenComparison& comparison);

} // namespace tamis::tokens
