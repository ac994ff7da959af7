// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What all methods of the lab share: choosing matrices, looking for NaN, running many at once. Private to the lab.
#include "core/spectrum/method.h"

#include <cstdint>
#include <functional>
#include <string>

namespace tamis::spectrum {

/// Throws Error{InvalidParameter} for a name that the checkpoint's layout does not have.
const io::MatrixRef& findMatrix(const io::Checkpoint& checkpoint, const std::string& name);

/// Stored with more precision than a float holds.
bool needsDouble(const io::Checkpoint& checkpoint, const io::MatrixRef& matrix);

/// The weights in double; Error{NonFinite} naming the tensor and the counts.
tensor::Matrix<double> readFinite(const io::Checkpoint& checkpoint, const io::MatrixRef& matrix);

/// Throws Error{InvalidParameter} unless 0 <= rank <= limit.
void checkRank(const std::string& matrix, std::int64_t rank, std::int64_t limit);

/// Writes the counts and a warning into `spectrum`; true when there are any.
bool reportNonFinite(report::MatrixSpectrum& spectrum, const tensor::FiniteCount& count);

struct SweepPlan {
    std::string method;
    Parameters parameters; ///< complete
    std::function<double(const io::MatrixRef&)> macs;          ///< order and progress weights
    std::function<std::uint64_t(const io::MatrixRef&)> bytes;  ///< peak workspace
    /// Fills the curves of one matrix, whose name, role and shape stand already. Called from several threads.
    std::function<void(const io::MatrixRef&, report::MatrixSpectrum&, const RunContext&)> analyse;
};

/// All of inputs.matrices, heaviest first so that all threads end together; entries in the order asked for.
report::SpectrumReport sweep(const Inputs& inputs, const SweepPlan& plan, const RunContext& context);

} // namespace tamis::spectrum
