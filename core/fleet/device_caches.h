// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A cache on each of several devices, all alike. Objects count one each.
#include "core/base/run_context.h"
#include "core/cache/method.h"

#include <cstdint>
#include <string>
#include <vector>

namespace tamis::fleet {

class DeviceCaches {
public:
    /// `policy`: of the cache lab, without "cache.", at its defaults. Throws Error{InvalidParameter, OutOfMemory, Cancelled}.
    DeviceCaches(const std::string& policy, std::size_t devices, std::uint64_t capacityEach, std::size_t objects, std::uint64_t seed, const RunContext& context);
    bool request(std::uint32_t device, std::uint32_t object) { return m_caches[device]->request({object, 1, cache::kNever}); } ///< true: a hit
    std::size_t devices() const noexcept { return m_caches.size(); }

private:
    std::vector<cache::PolicyPtr> m_caches;
};

/// share x objects for each of `devices` when they share the room evenly; 1 at least.
std::uint64_t capacityEach(double share, std::size_t objects, std::size_t devices) noexcept;

} // namespace tamis::fleet
