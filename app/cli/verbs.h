// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The verbs of tamis-cli, one file each.
#include "app/cli/options.h"

namespace tamis::cli {

Verb verbInspect();
Verb verbMethods();
Verb verbCapture();
Verb verbRun();
Verb verbCompare();
Verb verbEvaluate();
Verb verbPlan();
Verb verbExport();
Verb verbBench();
Verb verbDemo();

} // namespace tamis::cli
