// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What a hierarchy is asked for, request by request, and what a predictor says at each of them.
#include "core/base/run_context.h"
#include "core/io/trace_reader.h"

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace tamis::hierarchy {

/// What to fetch ahead: `each` objects for every request, or for every object. cache::kNever: none.
struct PrefetchTable {
    std::size_t each = 0;
    bool byObject = false;
    std::vector<std::uint32_t> candidates;
    bool empty() const noexcept { return each == 0; }
    std::span<const std::uint32_t> at(std::size_t request, std::uint32_t object) const noexcept
    {
        return {candidates.data() + (byObject ? std::size_t{object} : request) * each, each};
    }
};

/// Immutable once made. Objects are numbered in the order of their first request, those that are named by predictors alone behind them.
struct RequestStream {
    std::string name;
    std::vector<std::uint32_t> objects; ///< [requests]
    std::vector<std::uint32_t> sizes;   ///< [requests] bytes; empty: all objects have the size of a feature
    std::vector<std::uint8_t> writes;   ///< [requests] 1: a write of the whole object; empty: reads alone
    std::vector<std::uint64_t> ids;     ///< [objects]
    std::size_t requests() const noexcept { return objects.size(); }
};

/// A trace file: sizes and writes where it has them (docs/formats-trace.md). Throws what reading throws, Error{MalformedFile (no request), Cancelled}.
RequestStream loadRequests(const std::filesystem::path& file, const io::TraceOptions& options, const RunContext& context);

/// For every object those whose ids are the next `degree` higher ones, as far as they occur. Throws Error{OutOfMemory, Cancelled}.
PrefetchTable neighbouringIds(std::span<const std::uint64_t> ids, int degree, const RunContext& context);

} // namespace tamis::hierarchy
