// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "app/cli/console.h"
#include "app/cli/run_options.h"

namespace tamis::cli {

/// `run attention.*`: one operator in place of the exact attention of some blocks: errors of every head beside the trivial operators', cost,
/// and what the model still does. Throws UsageError, Error.
void runAttention(Console& console, const RunOptions& options);

} // namespace tamis::cli
