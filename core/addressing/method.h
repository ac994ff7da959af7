// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What a method of sparse addressing is: declared once, used by the command line, the window and the tests alike.
#include "core/base/parameter_schema.h"
#include "core/base/run_context.h"
#include "core/measure/sample_source.h"
#include "core/nn/model.h"
#include "core/report/addressing_report.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

namespace tamis::addressing {

struct Inputs {
    std::shared_ptr<const nn::Model> model;
    std::shared_ptr<const measure::SampleSource> samples;     ///< held out: the trace, and what quality is of
    std::shared_ptr<const measure::SampleSource> calibration; ///< what is fitted to; may be null where a table is given
    std::filesystem::path table; ///< DeepEmbed: read instead of fitting one; empty: fitted
    std::filesystem::path save;  ///< where the table that was made is kept; empty: it is not
    std::filesystem::path directory; ///< for files that are made to be read and removed again; empty: the system's place
    std::uint64_t seed = 0;
    bool latency = true;
};

struct Method {
    MethodDeclaration declaration;
    bool takesTable = false; ///< reads Inputs::table
    /// Throws Error{InvalidParameter (a setting; no calibration where one is needed), UnsupportedFeature (a model that reads images), NonFinite,
    /// LimitExceeded, IoFailure, Cancelled}. The report names method and samples; the model's name is the caller's.
    std::function<report::AddressingReport(const Inputs&, const Parameters&, const RunContext&)> run;
};

/// Every method, in menu order.
const std::vector<Method>& methods();
/// nullptr when there is none of that id.
const Method* findMethod(std::string_view id);

} // namespace tamis::addressing
