// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/base/run_context.h"
#include "core/io/calibration.h"
#include "core/io/checkpoint.h"
#include "core/report/workspace_outline.h"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace tamis::app {

/// What is open: immutable, shared with the lanes.
struct Workspace {
    std::shared_ptr<const io::Checkpoint> checkpoint;
    std::shared_ptr<const io::CalibrationSet> calibration; ///< may be null
    report::WorkspaceOutline outline;
    std::vector<std::string> warnings;
};

/// Opens both, or throws and nothing is open. An empty calibration path means: calibration.h5 beside the model, if it is there.
/// A calibration set made for other weights is opened with a warning (models over 1 GB are not hashed for it).
std::shared_ptr<const Workspace> openWorkspace(const std::filesystem::path& model, const std::filesystem::path& calibration,
                                               const RunContext& context);

} // namespace tamis::app
