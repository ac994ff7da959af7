// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "app/cli/compare_options.h"
#include "app/cli/console.h"
#include "app/cli/run_options.h"

namespace tamis::cli {

/// `run attention.*`: operators in place of the exact attention of some blocks or heads: errors of every head beside the trivial operators', cost,
/// what the model still does, and what else the options ask for. Throws UsageError, Error.
void runAttention(Console& console, const RunOptions& options);
/// Methods side by side: `tamis-cli compare --lab attention`. Throws as runAttention.
void compareAttention(Console& console, const CompareOptions& options);

} // namespace tamis::cli
