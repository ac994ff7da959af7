// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A method of a lab by the id that was typed.
#include "app/cli/usage_error.h"

#include <string>
#include <vector>

namespace tamis::cli {

/// Throws UsageError naming the methods there are; `advice` follows them.
template <class Method> const Method& methodAmong(const std::vector<Method>& methods, const std::string& id, const std::string& advice = {})
{
    std::string known;
    for (const Method& method : methods) {
        if (method.declaration.id == id)
            return method;
        known += (known.empty() ? "" : ", ") + method.declaration.id;
    }
    throw UsageError("method: found '" + id + "', expected one of " + known + advice);
}

} // namespace tamis::cli
