// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <cstdint>
#include <string_view>

namespace tamis {

/// Bytes that the system says can still be had (MemAvailable). 0 where it does not say.
std::uint64_t availableMemory();

/// Throws Error{OutOfMemory} naming `what`, the need and what is there, when `bytes` exceeds 90 % of availableMemory().
void requireMemory(std::uint64_t bytes, std::string_view what);

} // namespace tamis
