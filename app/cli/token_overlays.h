// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// All photos of a folder with their tokens, as files.
#include "app/cli/run_options.h"
#include "core/measure/sample_source.h"
#include "core/tokens/folder_run.h"
#include "core/tokens/reduction.h"

#include <filesystem>
#include <string>
#include <vector>

namespace tamis::cli {

struct OverlayRequest {
    const nn::Model &model, &whole; ///< reduced, and what it is compared with
    const tokens::Chain& chain;
    const measure::SampleSource& source;
    const std::vector<std::string>& classNames;
    std::string method, title, settings; ///< of the method: id; as people read it; those that differ from the defaults
    std::string caption;                 ///< model, method, every setting
};

/// The files that will be written, those of a photo together, one of each suffix. Throws UsageError for a build that does not draw, a depth or a shade that there
/// is not, and, without --overwrite, for a file that exists.
std::vector<std::filesystem::path> overlayFiles(const RunOptions& options, const nn::Model& model, const measure::SampleSource& source);
/// Writes them: a picture, a table and JSON of the kept tokens a photo, and its features where they are asked for. Main thread, at most once a program. Files that are complete stay when it
/// is stopped. Throws Error{IoFailure, UnsupportedFeature (features of a method with a grid of its own), Cancelled}, and what runs throw.
void writeOverlays(const RunOptions& options, const OverlayRequest& request, const std::vector<std::filesystem::path>& files, const RunContext& context);

} // namespace tamis::cli
