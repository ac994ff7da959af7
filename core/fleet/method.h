// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What a method of the fleet lab is: declared once, used by the command line, the window and the tests alike.
#include "core/base/parameter_schema.h"
#include "core/base/run_context.h"
#include "core/cache/trace.h"
#include "core/measure/sample_source.h"
#include "core/nn/model.h"
#include "core/remote/feature_store.h"
#include "core/report/fleet_report.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tamis::fleet {

/// What a method does not take is not looked at.
struct Inputs {
    std::shared_ptr<const cache::Trace> trace;
    std::shared_ptr<const nn::Model> model;
    std::string modelHash;                                ///< of its weights: the version of its features
    std::shared_ptr<const measure::SampleSource> samples; ///< photos, or frames in their order
    std::optional<remote::StoreSettings> store;           ///< a server to use or to measure
    std::uint64_t seed = 0;
};

enum class Need { None, Optional, Required };

struct Method {
    MethodDeclaration declaration;
    Need trace = Need::None;
    Need model = Need::None; ///< with samples
    Need server = Need::None;
    /// Throws Error{InvalidParameter (a setting, an input that is missing), UnsupportedFeature (a model that is not for it), IoFailure, OutOfMemory,
    /// Cancelled}. The report names method and trace; the model's name is the caller's.
    std::function<report::FleetReport(const Inputs&, const Parameters&, const RunContext&)> run;
};

/// Every method, in menu order.
const std::vector<Method>& methods();
/// nullptr when there is none of that id.
const Method* findMethod(std::string_view id);

/// Policies of the cache lab that devices may have: ids without "cache.".
std::vector<std::string> devicePolicies();

} // namespace tamis::fleet
