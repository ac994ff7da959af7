// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/fleet/edge_cloud.h"
#include "core/fleet/gossip.h"
#include "core/fleet/method.h"
#include "core/fleet/remote_run.h"
#include "core/fleet/ring.h"

#include <algorithm>

namespace tamis::fleet {

const std::vector<Method>& methods()
{
    static const std::vector<Method> all{ringMethod(), gossipMethod(), edgeCloudMethod(), remoteMethod()};
    return all;
}

const Method* findMethod(std::string_view id)
{
    const auto found = std::ranges::find(methods(), id, [](const Method& method) -> const std::string& { return method.declaration.id; });
    return found == methods().end() ? nullptr : &*found;
}

std::vector<std::string> devicePolicies() { return {"lru", "fifo", "clock", "sieve", "s3-fifo", "arc", "w-tinylfu", "lfu"}; }

} // namespace tamis::fleet
