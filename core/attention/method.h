// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What a method of the attention lab is: declared once, used by the window, the command line and the tests alike.
#include "core/attention/head_rule.h"
#include "core/base/parameter_schema.h"
#include "core/base/run_context.h"

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

namespace tamis::attention {

/// What an operator is made for: one block.
struct Inputs {
    nn::AttentionSpec spec;
    int block = 0;
    std::int64_t prefix = 0; ///< tokens before the patches (class, registers); 0 in language models
    std::uint64_t seed = 0;
};

struct Method {
    MethodDeclaration declaration;
    bool baseline = false; ///< trivial
    /// Throws Error{InvalidParameter, UnsupportedFeature (attention that it is not for)}.
    std::function<nn::AttentionPtr(const Inputs&, const Parameters&)> op;
};

/// Every method of the lab, in menu order.
const std::vector<Method>& methods();
/// nullptr when there is none of that id.
const Method* findMethod(std::string_view id);

} // namespace tamis::attention
