// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What the frame player is asked for: a part of the session.
#include "core/base/parameter_schema.h"

#include <string>
#include <vector>

namespace tamis::app {

/// A way to reuse features.
struct ReuseSetting {
    std::string method;    ///< empty: the lab's first
    Parameters parameters; ///< what is missing has its default
    bool operator==(const ReuseSetting&) const = default;
};

struct ReuseChoice {
    std::string frames; ///< folder; empty: the bundled sequence
    ReuseSetting setting;
    std::vector<ReuseSetting> kept; ///< to compare with, each once
    bool operator==(const ReuseChoice&) const = default;
};

} // namespace tamis::app
