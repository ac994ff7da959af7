// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/spectrum/method.h"
#include "core/spectrum/plain.h"
#include "core/spectrum/scaled.h"
#include "core/spectrum/whitened.h"

#include <algorithm>

namespace tamis::spectrum {

const std::vector<Method>& methods()
{
    static const std::vector<Method> all{
        whitenedMethod(),
        plainMethod(),
        scaledMethod(),
    };
    return all;
}

const Method* findMethod(std::string_view id)
{
    const auto found = std::ranges::find(methods(), id, [](const Method& method) { return std::string_view(method.declaration.id); });
    return found == methods().end() ? nullptr : &*found;
}

} // namespace tamis::spectrum
