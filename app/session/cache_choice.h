// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What the cache lab is asked for: a part of the session.
#include "core/base/parameter_schema.h"
#include "core/io/trace_reader.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace tamis::app {

/// A policy with settings that stays in the chart beside those that are tried.
struct KeptCache {
    std::string policy;
    Parameters parameters; ///< what is missing has its default
    Parameters rules{};    ///< of capacity, those that are not the defaults
    bool operator==(const KeptCache&) const = default;
};

struct CacheChoice {
    std::string trace;                                ///< file that is open; empty: none
    std::string format = "automatic";                 ///< as io::traceFormatNamed() takes it
    io::TraceColumns columns;                         ///< of a table; empty: found by their usual names
    bool readsAs(const CacheChoice& other) const { return trace == other.trace && format == other.format && columns == other.columns; } ///< the same requests come of it
    std::optional<std::vector<std::string>> policies; ///< ticked; nothing: the lab's own choice
    std::string policy;                               ///< in focus: its parameters are shown, its evictions, its steps; empty: the first
    std::map<std::string, Parameters> parameters;     ///< by policy; what is missing has its default
    Parameters rules;                                 ///< of capacity, around every policy; what is missing has its default
    std::uint64_t size = 0;                           ///< of the cursor; 0: the lab's own choice
    double warmUp = 0;                                ///< share of the requests that fill the caches and are not counted, 0 to 0.9
    std::vector<KeptCache> kept;
    std::int64_t cells = 16;                          ///< objects in the cache that is played, 1 to 256
    std::int64_t firstStep = 0;                       ///< request at which playing begins
    std::string beside;                               ///< policy that is played beside; empty: none
    bool operator==(const CacheChoice&) const = default;
};

} // namespace tamis::app
