// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// `run` of a method of the fleet lab: several devices that share what they computed, and a real store.
#include "app/cli/console.h"
#include "app/cli/run_options.h"

namespace tamis::cli {

/// Throws UsageError for a method that there is not, options that are missing or of other labs, and settings that its schema refuses.
void runFleet(Console& console, const RunOptions& options);

} // namespace tamis::cli
