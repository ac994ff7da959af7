// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What objects of a trace are called in its file, where ids are keys and not numbers.
#include "core/base/run_context.h"
#include "core/cache/trace.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>

namespace tamis::app {

/// Id of an object that readers of texts make of a key: FNV-1a, 64 bits (docs/formats-trace.md).
std::uint64_t keyId(std::string_view key) noexcept;
/// By id, for objects of `trace` whose key stands in the first 64 MiB of the text file; none for traces of more than 500,000 objects. Fields end at
/// white space, commas, semicolons; quotes around them go. Throws what reading throws, Error{Cancelled}.
std::map<std::uint64_t, std::string> traceNames(const std::filesystem::path& file, const cache::Trace& trace, const RunContext& context);

} // namespace tamis::app
