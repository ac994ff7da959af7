// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "app/cli/demo_results.h"
#include "core/base/run_context.h"

#include <filesystem>
#include <string>
#include <vector>

namespace tamis::cli {

/// Whether this build draws (TAMIS_GUI).
bool canDrawPictures() noexcept;

/// <directory>/<chart.file>.png and .svg for every chart, drawn without a display. Returns the files; none in a build that
/// does not draw. Main thread; at most once a program. Throws Error{IoFailure, Cancelled}.
std::vector<std::filesystem::path> drawPictures(const std::vector<DemoChart>& charts, const std::filesystem::path& directory,
                                                const RunContext& context);

} // namespace tamis::cli
