// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What the fleet lab is asked for: a part of the session.
#include "core/base/parameter_schema.h"

#include <map>
#include <string>

namespace tamis::app {

struct FleetChoice {
    std::string method;                           ///< empty: the first
    std::map<std::string, Parameters> parameters; ///< by method; what is missing has its default
    std::string server = "127.0.0.1:6379";        ///< as remote::parseServer() takes it; its password is not kept
    bool operator==(const FleetChoice&) const = default;
};

} // namespace tamis::app
