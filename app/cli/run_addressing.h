// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "app/cli/console.h"
#include "app/cli/run_options.h"

namespace tamis::cli {

/// `run addressing.*`: a table that is read by token, or a memory that is read by key, in a language model: what it is worth, and what its reads cost. Throws
/// UsageError, Error.
void runAddressing(Console& console, const RunOptions& options);

} // namespace tamis::cli
