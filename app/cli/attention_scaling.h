// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "app/cli/console.h"
#include "app/cli/run_options.h"

namespace tamis::cli {

/// `run attention.* --scaling`: what the operator of one block costs against the number of tokens, measured and predicted, beside exact attention. Reads no
/// samples. Throws UsageError, Error.
void runAttentionScaling(Console& console, const RunOptions& options);

} // namespace tamis::cli
