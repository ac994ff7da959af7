// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "app/session/recent_files.h"
#include "app/window/export_controller.h"
#include "app/window/model_controller.h"

namespace tamis::views {
class CostHeader;
class WorkspaceTree;
} // namespace tamis::views

namespace tamis::app {

/// What the tab's labs share with the others. Not owned.
struct CacheNeighbours {
    SessionDocument& document;
    ModelController& model;
    ExportController& exports;
    JobQueue& jobs;
    RecentFiles& recent;
    const FileQuestions& ask;
    views::WorkspaceTree& tree;
    views::CostHeader& header; ///< where the plan's parts are listed
};

} // namespace tamis::app
