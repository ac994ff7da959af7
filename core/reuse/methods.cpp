// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/reuse/content_key.h"
#include "core/reuse/crops.h"
#include "core/reuse/eventful.h"
#include "core/reuse/gate.h"
#include "core/reuse/key_frames.h"
#include "core/reuse/method.h"
#include "core/reuse/motion_reuse.h"
#include "core/reuse/pyramid.h"

#include <algorithm>

namespace tamis::reuse {

const std::vector<Method>& methods()
{
    static const std::vector<Method> all{gateMethod(), eventfulMethod(), blockMatchMethod(), flowMethod(), affineMethod(), perspectiveMethod(), keyFramesMethod(), contentKeyMethod(), cropsMethod(), pyramidMethod()};
    return all;
}

const Method* findMethod(std::string_view id)
{
    const auto found = std::ranges::find(methods(), id, [](const Method& method) -> const std::string& { return method.declaration.id; });
    return found == methods().end() ? nullptr : &*found;
}

} // namespace tamis::reuse
