// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/base/parameter_schema.h"

#include <string>

namespace tamis::app {

/// What the levels of caches are asked for.
struct HierarchyChoice {
    std::string frames;    ///< folder whose features in the open model are requested; empty: the cache lab's trace is
    Parameters parameters; ///< what is missing has its default
    bool operator==(const HierarchyChoice&) const = default;
};

} // namespace tamis::app
