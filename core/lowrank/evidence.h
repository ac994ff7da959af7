// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What an allocation or a budget's unit needs beside the spectra, measured on the inputs of a run.
#include "core/lowrank/method.h"
#include "core/lowrank/sensitivity.h"
#include "core/plan/allocation_evidence.h"
#include "core/plan/latency.h"
#include "core/report/model_report.h"
#include "core/report/spectrum_report.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tamis::lowrank {

struct AllocationMeasurement {
    std::size_t samples = 8;        ///< of inputs.samples, evenly spread; 0: all
    /// Of each matrix alone, for `sensitivity`; lower ones in steps of 0.1 are added for a budget near or below the lowest.
    std::vector<double> keeps{0.4, 0.5, 0.6, 0.7, 0.8, 0.9};
    std::int64_t latencyTokens = 256; ///< activations in a batch whose time is the budget
    std::optional<report::Ceilings> ceilings; ///< predict the time on this device by its roofline; nothing: measured on this machine
    plan::LatencyCache* latencies = nullptr;  ///< null: one for the process
    SensitivityCache* cache = nullptr;        ///< null: one for the process
    MatrixMeasured measured;                  ///< partial sensitivities, from the thread that measures
};

/// What `budget` needs, and nothing else, for the matrices of `spectra` among `targets`. `spectra` are those of
/// spectrum.whitened, of spectrum.plain without a calibration set. Throws Error{InvalidParameter} where the inputs have no model
/// or samples to measure with (one sentence), and what measuring throws.
plan::AllocationEvidence measureEvidence(const Inputs& inputs, const std::vector<const io::MatrixRef*>& targets, const plan::BudgetRequest& budget,
                                         const report::SpectrumReport& spectra, const AllocationMeasurement& measurement,
                                         std::vector<std::string>& warnings, const RunContext& context);

/// The evidence that a table of sensitivities is: by rank, its KL or its growth of the negative log-likelihood. Throws
/// Error{InvalidParameter} when the table has none of that measure (features, no labels).
std::map<std::string, std::vector<plan::MeasuredLoss>> measuredLosses(const report::SensitivityReport& table, plan::HarmMeasure measure);

} // namespace tamis::lowrank
