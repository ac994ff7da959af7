// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Runs a model over samples and writes what its linear inputs look like: a calibration set, tamis.calibration/1.
#include "core/base/run_context.h"
#include "core/measure/sample_source.h"
#include "core/nn/model.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace tamis::measure {

struct CaptureOptions {
    std::filesystem::path out;
    std::string modelSha256;           ///< of the checkpoint that the model was loaded from
    std::uint64_t rows = 128;          ///< sample rows a site
    std::uint64_t heldOutRows = 64;    ///< held-out rows a site
    double heldOut = 0.2;              ///< share of the samples that is held out: not in the gram
    std::uint64_t seed = 0;            ///< of the choice of held-out samples and rows
    const io::Checkpoint* gradients = nullptr; ///< the model's: mean-squared gradients at the linear outputs too; must outlive
                                               ///< the capture. Of the labels' loss, of the likeliest class without them; of
                                               ///< decoders' next-token loss
    bool resume = false;               ///< go on from the state of an interrupted capture where there is one
    double stateSeconds = 10;          ///< how often the state is written; 0: after every batch, below 0: never
    std::uint64_t bufferBytes = 128u << 20; ///< activations kept of a batch of samples; does not change the result
};

struct CapturedSite {
    std::string name;
    std::int64_t features = 0;
    std::uint64_t count = 0;   ///< tokens
    std::string sharedWith;    ///< site whose statistics this is another name of; empty: its own
};

struct CaptureReport {
    std::uint64_t samples = 0, heldOutSamples = 0; ///< calibration samples, held-out samples
    std::uint64_t tokens = 0;                      ///< of the calibration samples
    std::uint64_t resumedFrom = 0;                 ///< samples that an earlier, interrupted capture had done
    std::vector<CapturedSite> sites;
    double seconds = 0;
};

/// Path of the state that an interrupted capture to `out` leaves: beside it.
std::filesystem::path captureStatePath(const std::filesystem::path& out);

/// Every linear operator that runs is a site; q, k and v (and up and gate) that read one input share one group. Memory does
/// not grow with the number of samples. The file depends on model, samples, rows, share and seed alone: neither on threads
/// nor on interruptions. Throws Error{InvalidParameter (no samples, a sample that does not fit the model, a state of another
/// capture), UnsupportedFeature (gradients of a model that no tape runs), NonFinite (sample and site), IoFailure, OutOfMemory, Cancelled}, and what loading a sample throws; without
/// success nothing is written but the state.
CaptureReport captureCalibration(const nn::Model& model, const SampleSource& source, const CaptureOptions& options,
                                 const RunContext& context);

} // namespace tamis::measure
