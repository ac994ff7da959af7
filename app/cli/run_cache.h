// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// `run` of a policy of the cache lab: its hits on a trace at several sizes, beside random eviction, Belady's limit and the compulsory floor.
#include "app/cli/console.h"
#include "app/cli/run_options.h"

namespace tamis::cli {

/// Throws UsageError for a policy that there is not, options that are missing or of other labs, and settings that its schema refuses.
void runCache(Console& console, const RunOptions& options);

} // namespace tamis::cli
