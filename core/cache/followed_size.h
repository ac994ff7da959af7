// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What following one size is made of, of the whole trace and of parts of it. Private to the lab.
#include "core/cache/inspect.h"

namespace tamis::cache {

/// An object since its last request.
struct Fate {
    std::uint32_t next = kNever; ///< request at which it comes again
    bool used = false;           ///< hit since it entered
};

/// Throws what inspectSize() throws of its arguments.
void requireInspectable(const Trace& trace, std::span<const std::uint32_t> next, std::uint64_t size, const InspectSettings& settings);
/// What is known before the first request; without windows.
report::CacheSizeReport emptySizeReport(const Trace& trace, const Configuration& configuration, std::uint64_t size, const InspectSettings& settings);
void countEviction(const Fate& fate, std::size_t now, report::EvictionOutcome& outcome);
/// Whether the policy runs under a rule that looks for changes of scene.
bool watchesScene(const Configuration& configuration, const CapacityRules& rules);
std::uint64_t sceneChangesOf(const Policy& policy); ///< so far

} // namespace tamis::cache
