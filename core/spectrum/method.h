// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The spectrum lab's methods: one file pair each, one line in methods.cpp.
#include "core/base/parameter_schema.h"
#include "core/base/run_context.h"
#include "core/io/calibration.h"
#include "core/io/checkpoint.h"
#include "core/report/spectrum_report.h"
#include "core/tensor/matrix.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace tamis::spectrum {

/// Immutable snapshot of what a run works on.
struct Inputs {
    std::shared_ptr<const io::Checkpoint> checkpoint;
    std::shared_ptr<const io::CalibrationSet> calibration; ///< may be null for methods that need none
    std::vector<std::string> matrices;                     ///< names; empty: every matrix of the layout
};

/// W ~ B A with B [rows, r], A [r, cols].
struct Factors {
    tensor::Matrix<double> b, a;
};

struct Method {
    MethodDeclaration declaration;
    bool needsCalibration = false;
    /// Spectra of all inputs.matrices, in their order, in parallel. A matrix with NaN or infinity, or without a calibration
    /// site, gets an entry with a warning and no curves; the run goes on. Throws Error{Cancelled, OutOfMemory,
    /// InvalidParameter}.
    std::function<report::SpectrumReport(const Inputs&, const Parameters&, const RunContext&)> run;
    /// The rank-r factors whose loss run() reports for that rank. Throws Error{NonFinite, InvalidParameter, Cancelled}.
    std::function<Factors(const Inputs&, const std::string& matrix, std::int64_t rank, const Parameters&, const RunContext&)>
        factors;
};

/// Every method of the lab, in menu order.
const std::vector<Method>& methods();
/// nullptr when there is none of that id.
const Method* findMethod(std::string_view id);

} // namespace tamis::spectrum
