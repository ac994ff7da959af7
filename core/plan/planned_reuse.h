// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/base/parameter_schema.h"

#include <string>

namespace tamis::plan {

/// A reuse lab's method for frames that follow one another. What its parameters may be is the method's to say, when it is made.
struct PlannedReuse {
    std::string method;   ///< "reuse.gate"
    Parameters parameters;
    std::string sequence; ///< frames that it was tried on: for information; may be empty
    double macsShare = 0; ///< measured there, of running every frame whole: for information; 0: not measured
    bool operator==(const PlannedReuse&) const = default;
};

} // namespace tamis::plan
