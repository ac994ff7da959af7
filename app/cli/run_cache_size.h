// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// `run cache.*` with --at, --steps and --shape: one size over time, request by request, and the trace itself.
#include "app/cli/run_options.h"
#include "core/base/run_context.h"
#include "core/cache/simulate.h"

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace tamis::cli {

struct CacheDetails {
    cache::Configuration configuration;
    std::uint64_t size = 0; ///< of --at; 0: not asked for
    std::uint64_t warmUp = 0, seed = 0;
    cache::CapacityRules rules;
};

/// True where the options ask for any of it. Throws UsageError for --steps or --first without what they need.
bool wantsCacheDetails(const RunOptions& options);
/// Adds "size", "steps" and "shape" to the document and a block each to the text. Throws what core/cache throws.
void addCacheDetails(const RunOptions& options, const cache::Trace& trace, const CacheDetails& details, const RunContext& context, std::string& text, nlohmann::ordered_json& document);

} // namespace tamis::cli
