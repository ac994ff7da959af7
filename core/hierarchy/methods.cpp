// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/hierarchy/levels.h"
#include "core/hierarchy/method.h"

#include <algorithm>

namespace tamis::hierarchy {

const std::vector<Method>& methods()
{
    static const std::vector<Method> all{levelsMethod()};
    return all;
}

const Method* findMethod(std::string_view id)
{
    const auto found = std::ranges::find(methods(), id, [](const Method& method) -> const std::string& { return method.declaration.id; });
    return found == methods().end() ? nullptr : &*found;
}

} // namespace tamis::hierarchy
