// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What a method of the hierarchy lab is: declared once, used by the command line, the window and the tests alike.
#include "core/base/parameter_schema.h"
#include "core/base/run_context.h"
#include "core/hierarchy/feature_stream.h"
#include "core/hierarchy/request_stream.h"
#include "core/report/hierarchy_report.h"

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

namespace tamis::hierarchy {

/// One of the two.
struct Inputs {
    std::shared_ptr<const RequestStream> trace;
    std::shared_ptr<const FeatureSource> features;
    std::size_t limit = 0; ///< first requests alone; 0: all
};

struct Method {
    MethodDeclaration declaration;
    /// Throws Error{InvalidParameter (a setting; neither input), Cancelled}. The model's name is the caller's.
    std::function<report::HierarchyReport(const Inputs&, const Parameters&, const RunContext&)> run;
};

/// Every method, in menu order.
const std::vector<Method>& methods();
/// nullptr when there is none of that id.
const Method* findMethod(std::string_view id);

} // namespace tamis::hierarchy
