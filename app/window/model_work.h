// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What the model tab asks of core. Everything here runs on workers, never on the window's thread.
#include "app/session/workspace.h"
#include "app/window/spectrum_work.h"
#include "core/base/run_context.h"
#include "core/nn/model.h"
#include "core/plan/plan.h"
#include "core/report/model_report.h"

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace tamis::app {

using PicturePointer = std::shared_ptr<const SpectrumPicture>;

/// The plan that a whole spectrum picture stands for (hashing reads the files once).
plan::Plan planOf(const SpectrumPicture& picture, const RunContext& context);
/// Whether the budget of a picture replaces any operator.
bool replacesOperators(const SpectrumPicture& picture);

/// The model of a workspace, loaded at first use, and the last plan carried out on it. Thread-safe: who comes second waits for
/// the one that loads, and sees its own stop meanwhile.
class RunnableModel {
public:
    explicit RunnableModel(std::shared_ptr<const Workspace> workspace) : m_workspace(std::move(workspace)) {}
    const std::shared_ptr<const Workspace>& workspace() const noexcept { return m_workspace; }
    /// Throws what nn::Model::load throws.
    std::shared_ptr<const nn::Model> dense(const RunContext& context);
    /// Null where the picture replaces nothing. Throws what makePlan and applyPlan throw.
    std::shared_ptr<const nn::Model> compressed(const PicturePointer& picture, const RunContext& context);

private:
    std::unique_lock<std::timed_mutex> lock(const RunContext& context);
    std::shared_ptr<const nn::Model> loaded(const RunContext& context); ///< the lock is held
    std::shared_ptr<const Workspace> m_workspace;
    std::timed_mutex m_mutex; ///< guards the rest
    std::shared_ptr<const nn::Model> m_dense, m_compressed;
    PicturePointer m_picture; ///< that m_compressed is of
};

struct CostRequest {
    std::shared_ptr<const Workspace> workspace;
    std::int64_t tokens = 0, batch = 1; ///< tokens 0: as the model is made for
    report::Ceilings ceilings;
    PicturePointer picture; ///< whose operators are counted in place of the dense ones; may be null
    bool operator==(const CostRequest& other) const;
};

/// What a model costs, with the operators that the budget replaces, and what its inputs look like.
struct CostPicture {
    CostRequest request;
    std::shared_ptr<const report::ModelCostReport> cost;
    std::vector<report::ActivationStatistics> activations; ///< of the calibration set; empty without one
};

/// Costs from shapes alone; remembers those of the dense model and the statistics, so that a keep slider costs an update of
/// some numbers. One thread at a time.
class CostWork {
public:
    using Picture = std::shared_ptr<const CostPicture>;
    Picture coarse(const CostRequest& request); ///< null: not remembered
    /// `publish` receives the costs before the statistics are ready. Throws tamis::Error.
    Picture refine(const CostRequest& request, const RunContext& context, const std::function<void(Picture)>& publish = {});

private:
    Picture picture(const CostRequest& request) const;
    CostRequest m_of; ///< what m_dense is of; its picture and ceilings are not used
    std::shared_ptr<const report::ModelCostReport> m_dense;
    std::shared_ptr<const io::CalibrationSet> m_calibration; ///< what m_activations are of
    std::vector<report::ActivationStatistics> m_activations;
};

/// Puts the operators that the budget of `picture` chose in place of the dense ones: form, rank, parameters, bytes, MACs, and
/// the totals. Predictions are left as they were.
void applyBudget(report::ModelCostReport& report, const SpectrumPicture& picture);

} // namespace tamis::app
