// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/fleet/device_caches.h"

#include "core/base/error.h"
#include "core/base/memory_estimate.h"

#include <algorithm>
#include <cmath>

namespace tamis::fleet {

DeviceCaches::DeviceCaches(const std::string& policy, std::size_t devices, std::uint64_t capacityEach, std::size_t objects, std::uint64_t seed, const RunContext& context)
{
    constexpr std::uint64_t kBytesAnObject = 96;
    const cache::Method* method = cache::findMethod("cache." + policy);
    if (!method || method->knowsFuture)
        throw Error(ErrorCode::InvalidParameter, "found '" + policy + "', expected a policy that a device can have", "policy");
    requireMemory(devices * objects * kBytesAnObject, "a cache on every device");
    for (std::size_t device = 0; device < devices; ++device) {
        context.throwIfStopped();
        m_caches.push_back(method->policy({capacityEach, seed + device, 1}, method->declaration.schema.defaults()));
        m_caches.back()->know(objects);
    }
}

std::uint64_t capacityEach(double share, std::size_t objects, std::size_t devices) noexcept
{
    return std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::llround(share * static_cast<double>(objects) / static_cast<double>(std::max<std::size_t>(devices, 1)))));
}

} // namespace tamis::fleet
