// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// PyTorch as a peer: a script of this project in a child process, its standard output read whole.
#include "core/base/run_context.h"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tamis::bench {

/// A script of the project's scripts/ folder: beside the installed program (../share/tamis/scripts) or in the source
/// tree. Throws Error{IoFailure} naming both places when it is in neither.
std::filesystem::path torchScript(std::string_view name);

/// What the script printed: JSON, one object a line, as the scripts of this project do. The child inherits the
/// environment, with as many OpenMP and BLAS threads as this process may use now. Nothing is returned when there is no
/// measurement to be had, and `whyNot` says why in one sentence: no Python, no PyTorch (the script ends with status 77),
/// a script that failed (the last line of its standard error), or more than 1 MiB of output.
/// Blocks; a stop ends the child within 100 ms and throws Error{Cancelled}. Throws Error{IoFailure} when the system
/// gives no pipes.
std::optional<std::string> runTorch(const std::filesystem::path& script, const std::vector<std::string>& arguments,
                                    const RunContext& context, std::string& whyNot);

} // namespace tamis::bench
