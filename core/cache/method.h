// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What a policy of the cache lab is: declared once, used by the window, the command line and the tests alike.
#include "core/base/parameter_schema.h"
#include "core/base/run_context.h"
#include "core/cache/policy.h"

#include <functional>
#include <string_view>
#include <vector>

namespace tamis::cache {

struct PolicyInputs {
    std::uint64_t capacity = 0; ///< bytes, or objects where all sizes are 1; at least 1
    std::uint64_t seed = 0;
    double meanSize = 1; ///< of the trace's objects: how many a cache holds, for policies that count
    std::uint64_t holds() const noexcept { return capacity < 1 ? 1 : static_cast<std::uint64_t>(static_cast<double>(capacity) / (meanSize > 1 ? meanSize : 1) + 1); }
};

struct Method {
    MethodDeclaration declaration;
    bool knowsFuture = false; ///< reads Request::next: nothing that can be built
    bool limit = false;       ///< no policy that takes every newcomer in has more hits where all objects are of one size
    bool random = false;      ///< depends on the seed
    /// Throws Error{InvalidParameter}.
    std::function<PolicyPtr(const PolicyInputs&, const Parameters&)> policy;
    /// Set: this is no cache that could be stepped through, but a bound over a whole trace, for each capacity; `policy` then throws
    /// Error{InvalidParameter}. The first `warmUp` requests are not counted. Throws Error{Cancelled}.
    std::function<Counts(const Requests& requests, std::uint64_t capacity, std::uint64_t warmUp, const RunContext& context)> bound;
};

/// Every policy of the lab, in menu order.
const std::vector<Method>& methods();
/// nullptr when there is none of that id.
const Method* findMethod(std::string_view id);

} // namespace tamis::cache
