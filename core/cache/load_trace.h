// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A trace file in memory.
#include "core/base/run_context.h"
#include "core/cache/trace.h"
#include "core/io/trace_reader.h"

#include <filesystem>
#include <functional>

namespace tamis::cache {

/// Throws what reading throws, Error{MalformedFile (no request)}, Error{OutOfMemory (it cannot grow further)}, Error{Cancelled}.
Trace loadTrace(const std::filesystem::path& file, const io::TraceOptions& options, const RunContext& context);

/// The same without keeping it: `take` is given stretches of requests, one after another, with object numbers as Trace has them and the number of
/// objects so far. Memory is 20 bytes an object. Returns the requests.
std::uint64_t streamTrace(const std::filesystem::path& file, const io::TraceOptions& options, const RunContext& context,
                          const std::function<void(const Requests&, std::size_t objects)>& take);

} // namespace tamis::cache
