// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A method of a lab by the id that was typed.
#include "app/cli/run_inputs.h"
#include "app/cli/usage_error.h"

#include <algorithm>
#include <string>
#include <utility>
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

/// What stands between commas.
inline std::vector<std::string> partsOf(const std::string& text)
{
    std::vector<std::string> parts;
    for (std::size_t at = 0; at <= text.size();) {
        const std::size_t comma = std::min(text.find(',', at), text.size());
        parts.push_back(text.substr(at, comma - at));
        at = comma + 1;
    }
    return parts;
}

/// "id" or "id,name=value,..." of --also. Throws UsageError as methodAmong() and parametersFrom().
template <class Method> std::pair<const Method*, Parameters> methodBeside(const std::vector<Method>& methods, const std::string& typed, const CommonOptions& common)
{
    std::vector<std::string> parts = partsOf(typed);
    const Method& method = methodAmong(methods, parts.front(), ", or all");
    parts.erase(parts.begin());
    return {&method, parametersFrom(method.declaration, parts, common)};
}

} // namespace tamis::cli
