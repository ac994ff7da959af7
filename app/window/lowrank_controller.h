// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "app/jobs/job_group.h"
#include "app/session/session_document.h"
#include "app/window/export_controller.h"
#include "app/window/file_questions.h"
#include "app/window/lowrank_work.h"
#include "app/window/model_controller.h"

#include <QObject>
#include <QStringList>

#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace tamis::views {
class ComparePage;
class CompareSettings;
class LowRankPanel;
class SensitivityPage;
struct BudgetNames;
struct CompareChoice;
} // namespace tamis::views

namespace tamis::app {

class LowRankRunController;

/// The views that the low-rank lab is shown in. Not owned.
struct LowRankViews {
    views::LowRankPanel* panel = nullptr;
};

/// What the controller shares with the others. Not owned.
struct LowRankNeighbours {
    SessionDocument& document;
    ModelController& model;
    ExportController& exports;
    JobQueue& jobs;
    const FileQuestions& ask;
};

/// Between the session, the lab's methods and its tab: an edit becomes a change of the session, comparisons and trained methods
/// are jobs whose partial results are shown as they come.
class LowRankController : public QObject
{
    Q_OBJECT
public:
    LowRankController(const LowRankNeighbours& neighbours, const LowRankViews& views, QObject* parent = nullptr);
    ~LowRankController() override;

    void setWorkspace(std::shared_ptr<const Workspace> workspace); ///< null: nothing is open; after the model controller's
    void compare(); ///< asks for held-out samples where none are chosen
    void compareCurves(); ///< the same at keep 0.9 to 0.3
    void measureSensitivity(); ///< of each matrix alone; asks for samples where none are chosen
    QString sensitivityDisabledReason() const; ///< why it cannot be measured now; empty: it can
    void stop() { m_jobs.stop(); } ///< the jobs started here
    /// Why nothing can be compared now; empty: it can.
    QString compareDisabledReason() const;
    const std::shared_ptr<const report::MethodComparison>& comparison() const noexcept { return m_comparison; }

signals:
    void availabilityChanged(); ///< of what can be compared, run, stored
    void sensitivityMeasured(); ///< whole or stopped: the matrices that there are stay
    void compared(); ///< whole or stopped: the rows that there are stay
    void done(const QString& sentence);
    void failed(const QString& sentence);

public:
    // For the lab's other pages.
    static views::BudgetNames budgetNames();
    std::vector<std::string> comparedIds() const;
    QString unavailable(const lowrank::Method& method) const; ///< why it cannot run now; empty: it can
    std::filesystem::path training() const;                   ///< samples to calibrate on; empty: none
    std::filesystem::path heldOut() const;                    ///< samples to judge on; empty: none
    void chooseSamples(bool heldOut);                         ///< asks
    void selectMatrices(const QStringList& names);            ///< everywhere
    JobGroup& jobs() noexcept { return m_jobs; } ///< what Stop ends
    LowRankRunController& runs() noexcept { return *m_runs; }

private:
    struct Compared {
        LowRankChoice choice;
        std::string heldOut, training;
    };
    void buildPages();
    void connectCompare();
    void showState(const SessionState& state);
    void showMethods();
    void showCompare(const SessionState& state);
    std::vector<Configuration> knownConfigurations() const; ///< the offered ones, then what else the session compares
    std::vector<Configuration> comparedConfigurations() const; ///< of the session or the lab's own choice; those that can run
    std::filesystem::path besideModel(const char* name) const;
    bool isVision() const;
    void startComparison(const std::vector<double>& keeps);
    void showComparison(const std::shared_ptr<const report::MethodComparison>& comparison);
    Compared comparedNow() const;

    LowRankNeighbours m_with;
    LowRankViews m_views;
    JobGroup m_jobs;
    views::ComparePage* m_compare = nullptr;
    views::CompareSettings* m_compareSettings = nullptr;
    std::shared_ptr<const Workspace> m_workspace;
    std::shared_ptr<const report::MethodComparison> m_comparison;
    std::optional<Compared> m_compared; ///< what m_comparison, or the one that runs, is of
    views::SensitivityPage* m_sensitivity = nullptr;
    bool m_measuring = false;  ///< sensitivities
    int m_comparing = 0;       ///< id of the comparison that runs; 0: none
    std::unique_ptr<LowRankRunController> m_runs;
};

} // namespace tamis::app
