// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/base/parameter_schema.h"

#include <string>
#include <vector>

namespace tamis::plan {

/// A token lab's method on top of the operators. What its parameters may be is the method's to say, when its chain is made.
struct PlannedTokens {
    std::string method;           ///< "tokens.evit"
    Parameters parameters;
    std::vector<double> schedule; ///< [blocks] mean tokens behind each on the photos that it was tried on: for information; may be empty
    bool operator==(const PlannedTokens&) const = default;
};

} // namespace tamis::plan
