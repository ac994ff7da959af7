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

namespace tamis::io {
class Checkpoint;
}

namespace tamis::fleet {

/// What a method does not take is not looked at.
struct Inputs {
    std::shared_ptr<const cache::Trace> trace;
    std::shared_ptr<const nn::Model> model;
    std::string modelHash;                                ///< the version of its features: featureVersion()
    std::shared_ptr<const measure::SampleSource> samples; ///< photos, or frames in their order
    std::optional<remote::StoreSettings> store;           ///< a server to use or to measure
    remote::FeatureStore::Listener listener;              ///< hears of the server's changes as they come, from any thread; empty: nobody does
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

/// SHA-256 of all that a model's features depend on beside the pixels: its weights, its config.json as it is written (the same weights with other heads
/// are another model), and the place that they are taken from.
std::string featureVersion(const io::Checkpoint& checkpoint, const RunContext& context = {});

/// Policies of the cache lab that devices may have: ids without "cache.".
std::vector<std::string> devicePolicies();

} // namespace tamis::fleet
