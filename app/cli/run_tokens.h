// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// `run` of a method of the token lab: a folder of photos through the model, whole and reduced.
#include "app/cli/compare_options.h"
#include "app/cli/console.h"
#include "app/cli/run_options.h"

namespace tamis::cli {

/// Throws UsageError for a method that there is not, options that are missing or of other labs, and settings that its schema refuses.
void runTokens(Console& console, const RunOptions& options);
/// Methods side by side on one folder: `tamis-cli compare --lab tokens`. Throws as runTokens.
void compareTokens(Console& console, const CompareOptions& options);
/// Throws UsageError where it is not a folder of photos that is asked for, or one.
void requirePhotos(const RunOptions& options);

} // namespace tamis::cli
