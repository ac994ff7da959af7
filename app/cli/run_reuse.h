// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "app/cli/console.h"
#include "app/cli/run_options.h"

namespace tamis::cli {

/// run reuse.*
void runReuse(Console& console, const RunOptions& options);

} // namespace tamis::cli
