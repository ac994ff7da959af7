// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/addressing/deep_embed.h"
#include "core/addressing/memory_methods.h"
#include "core/addressing/method.h"

#include <algorithm>

namespace tamis::addressing {

const std::vector<Method>& methods()
{
    static const std::vector<Method> all{deepEmbedMethod(), productKeyMethod(), mixtureMethod()};
    return all;
}

const Method* findMethod(std::string_view id)
{
    const auto found = std::ranges::find(methods(), id, [](const Method& method) -> const std::string& { return method.declaration.id; });
    return found == methods().end() ? nullptr : &*found;
}

} // namespace tamis::addressing
