// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// One method of the low-rank lab at a time, for lanes and jobs. Runs on workers, never on the window's thread.
#include "app/window/lowrank_work.h"
#include "core/plan/planned_tokens.h"
#include "views/lowrank/ridge_meter.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace tamis::app {

struct RunRequest {
    LabInputs inputs;
    std::string method;      ///< method id
    Parameters parameters;   ///< what is missing has its default
    plan::BudgetRequest budget;
    std::string current;     ///< matrix in focus: comes first
    /// All but the focus, which changes no result.
    bool sameResult(const RunRequest& other) const;
};

/// What a run made, and the request that it is of.
struct RunPicture {
    RunRequest request;
    std::shared_ptr<const report::LowRankReport> report;
    std::shared_ptr<const lowrank::Compression> compression; ///< null until it is complete
    lowrank::Inputs inputs;                                  ///< that it was made from
    bool complete = false; ///< false: matrices of other settings stand in for some
};

/// Remembers the last picture, so that a drag shows the matrix in focus anew and the others as they were. One thread at a time.
class RunWork {
public:
    using Picture = std::shared_ptr<const RunPicture>;
    /// The matrix in focus under the new settings, where its decomposition takes some 20 ms at most. Null when there is nothing to
    /// show yet, or nothing of it can be made alone.
    Picture coarse(const RunRequest& request);
    /// `publish` receives pictures of what is ready so far. Throws what opening the inputs and the method throw.
    Picture refine(const RunRequest& request, const RunContext& context, const std::function<void(Picture)>& publish = {});

private:
    const lowrank::Inputs& inputs(const LabInputs& wanted, const RunContext& context);
    LabInputs m_of;          ///< what m_inputs are of
    lowrank::Inputs m_inputs;
    Picture m_last;
};

/// Writes what was made as factors and a plan, the latter with `tokens`, into `directory`; returns the sentence that says so.
std::string storeRun(const RunPicture& picture, const std::optional<plan::PlannedTokens>& tokens, const std::filesystem::path& directory, const RunContext& context);

/// What storeRun() wrote, as a whole picture of `request`, whose method did not run for it. Throws what opening the inputs and
/// lowrank::readCompression() throw.
RunWork::Picture openRun(const RunRequest& request, const plan::Plan& plan, const RunContext& context);

/// One matrix under a method at ridges from 0 to 0.1.
struct RidgeRequest {
    RunRequest run; ///< its `current` is the matrix
    bool operator==(const RidgeRequest& other) const { return run.sameResult(other.run) && run.current == other.run.current; }
};
/// Null where the method has no ridge, the calibration set has no such site or the matrix cannot be compressed alone.
/// `publish` receives sweeps of the ridges that are ready. Throws Error{Cancelled, OutOfMemory} and what opening the inputs throws.
std::shared_ptr<const views::RidgeSweep> sweepRidge(const RidgeRequest& request, const RunContext& context,
                                                    const std::function<void(std::shared_ptr<const views::RidgeSweep>)>& publish = {});

struct ChartRequest {
    LabInputs inputs;
    std::string matrix;
    Parameters parameters; ///< alpha and ridge
    bool operator==(const ChartRequest& other) const { return inputs == other.inputs && matrix == other.matrix && parameters == other.parameters; }
};
/// Relative loss against rank under every preconditioner. Throws what preconditionerChart throws.
report::MethodFigure chartPreconditioners(const ChartRequest& request, const RunContext& context);

} // namespace tamis::app
