// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What a policy of the cache lab is: declared once, used by the window, the command line and the tests alike.
#include "core/base/parameter_schema.h"
#include "core/cache/policy.h"

#include <functional>
#include <string_view>
#include <vector>

namespace tamis::cache {

struct PolicyInputs {
    std::uint64_t capacity = 0; ///< bytes, or objects where all sizes are 1; at least 1
    std::uint64_t seed = 0;
};

struct Method {
    MethodDeclaration declaration;
    bool knowsFuture = false; ///< reads Request::next: a limit, not a policy
    bool random = false;      ///< depends on the seed
    /// Throws Error{InvalidParameter}.
    std::function<PolicyPtr(const PolicyInputs&, const Parameters&)> policy;
};

/// Every policy of the lab, in menu order.
const std::vector<Method>& methods();
/// nullptr when there is none of that id.
const Method* findMethod(std::string_view id);

} // namespace tamis::cache
