// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What the attention tab is asked for beside the choice of operators.
#include "core/base/parameter_schema.h"

#include <map>
#include <string>

namespace tamis::app {

/// What the page of sparse addressing is asked for.
struct AddressingChoice {
    std::string method;                           ///< empty: the lab's first
    std::map<std::string, Parameters> parameters; ///< by method; what is missing has its default
    std::string calibration;                      ///< tokens or text that are fitted to; empty: what stands beside the model
    bool readers = true;                          ///< timed, too
    bool operator==(const AddressingChoice&) const = default;
};

/// What a training around attention operators is asked for.
struct AttentionTraining {
    Parameters parameters; ///< what is missing has its default
    std::string samples;   ///< photos or text to train on; empty: what stands beside the model
    bool operator==(const AttentionTraining&) const = default;
};

} // namespace tamis::app
