// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "app/commands/command_palette.h"
#include "app/commands/command_registry.h"
#include "app/jobs/job_model.h"
#include "app/jobs/job_queue.h"
#include "app/session/autosave.h"
#include "app/session/recent_files.h"
#include "app/session/session_document.h"
#include "app/window/addressing_controller.h"
#include "app/window/attention_training_controller.h"
#include "app/window/attention_lab_controller.h"
#include "app/window/attention_map_controller.h"
#include "app/window/cache_tab.h"
#include "app/window/encoder_controller.h"
#include "app/window/export_controller.h"
#include "app/window/file_questions.h"
#include "app/window/lowrank_controller.h"
#include "app/window/model_controller.h"
#include "app/window/spectrum_controller.h"
#include "app/window/token_plan_controller.h"
#include "app/window/tokens_controller.h"
#include "app/window/workspace_controller.h"

#include <QMainWindow>

#include <memory>
#include <vector>

class QStackedWidget;
class QTabWidget;

namespace tamis::views {
class JobsView;
class LogView;
class NoticeBar;
} // namespace tamis::views

namespace tamis::app {

/// The window: builds the docks and wires controllers to them. Knows everything, does little.
class MainWindow : public QMainWindow
{
    Q_OBJECT
public:
    /// `autosaveDirectory`: where a copy of the session is kept; empty: nowhere (tests).
    explicit MainWindow(const QString& autosaveDirectory);
    ~MainWindow() override;

    /// A checkpoint, a session, a plan, a calibration set, an autoencoder, a trace of requests, or a folder of photos.
    void open(const QString& path);
    CommandRegistry& commands() noexcept { return *m_commands; }
    SessionDocument& document() noexcept { return m_document; }
    SpectrumController& spectrum() noexcept { return *m_spectrum; }
    WorkspaceController& workspaces() noexcept { return *m_workspaces; }
    ModelController& model() noexcept { return *m_model; }
    LowRankController& lowRank() noexcept { return *m_lowRank; }
    AttentionMapController& attentionMaps() noexcept { return *m_attentionMaps; }
    EncoderController& encoder() noexcept { return *m_encoder; }
    TokensController& tokens() noexcept { return *m_tokens; }
    AddressingController& addressing() noexcept { return *m_addressing; }
    AttentionTrainingController& attentionTraining() noexcept { return *m_attentionTraining; }
    AttentionLabController& attentionLab() noexcept { return *m_attentionLab; }
    TokenPlanController& tokenPlan() noexcept { return *m_tokenPlan; }
    CacheTab& cache() noexcept { return *m_cache; }
    ExportController& exports() noexcept { return *m_exports; }
    JobQueue& jobs() noexcept { return m_jobs; }
    RecentFiles& recentFiles() noexcept { return m_recent; }
    const SpectrumViews& views() const noexcept { return m_views; }
    const ModelViews& modelViews() const noexcept { return m_modelViews; }
    views::TokenPanel& tokenPanel() const noexcept { return *m_tokenPanel; }
    views::CachePanel& cachePanel() const noexcept { return *m_cachePanel; }
    views::AttentionLabPanel& attentionPanel() const noexcept { return *m_attentionPanel; }
    const EncoderViews& encoderViews() const noexcept { return m_encoderViews; }
    const LowRankViews& lowRankViews() const noexcept { return m_lowRankViews; }
    void showLab(QWidget* lab); ///< its tab
    views::NoticeBar& notice() noexcept { return *m_notice; }
    CommandPalette& palette() noexcept { return *m_palette; }
    /// How to ask for files; dialogues unless set.
    FileQuestions& questions() noexcept { return m_ask; }
    /// Asks whether to bring back a session that a crash left behind.
    void offerRecovery(const QString& directory);

protected:
    void showEvent(QShowEvent* event) override;
    void closeEvent(QCloseEvent* event) override;
    void dragEnterEvent(QDragEnterEvent* event) override;
    void dropEvent(QDropEvent* event) override;

private:
    void buildCentre();
    void addLab(QWidget* lab, const QString& title, QWidget* settings = nullptr); ///< a tab, and its page of the parameters; nullptr: those of the first
    void buildDocks();
    void buildMenus();
    /// Passes on what a lab's controller says.
    template <class Controller> void listenTo(Controller& controller)
    {
        connect(&controller, &Controller::availabilityChanged, m_commands, &CommandRegistry::refresh);
        connect(&controller, &Controller::failed, this, &MainWindow::sayFailure);
        connect(&controller, &Controller::done, this, [this](const QString& sentence) { say(false, sentence); });
    }
    void connectControllers();
    void connectExports();
    void showRecent();
    void showTitle();
    void say(bool warning, const QString& sentence);
    void sayFailure(const QString& sentence);
    QDockWidget* dock(const QString& title, const QString& name, QWidget* content, Qt::DockWidgetArea area);

    FileQuestions m_ask;
    SessionDocument m_document;
    JobQueue m_jobs;
    JobModel m_jobModel{m_jobs};
    RecentFiles m_recent;
    SpectrumViews m_views;
    ModelViews m_modelViews;
    LowRankViews m_lowRankViews;
    EncoderViews m_encoderViews;
    views::TokenPanel* m_tokenPanel = nullptr;
    views::AttentionLabPanel* m_attentionPanel = nullptr;
    views::CachePanel* m_cachePanel = nullptr;
    CommandRegistry* m_commands = nullptr;
    CommandPalette* m_palette = nullptr;
    views::NoticeBar* m_notice = nullptr;
    views::JobsView* m_jobsView = nullptr;
    views::LogView* m_log = nullptr;
    QDockWidget* m_workspaceDock = nullptr;
    QDockWidget* m_parametersDock = nullptr;
    QDockWidget* m_pointsDock = nullptr;
    bool m_arranged = false;
    QTabWidget* m_labs = nullptr;
    QStackedWidget* m_settings = nullptr; ///< parameters of the labs
    std::vector<int> m_settingsOf;        ///< [labs] page of m_settings
    QMenu* m_recentMenu = nullptr;
    std::unique_ptr<SpectrumController> m_spectrum;
    std::unique_ptr<WorkspaceController> m_workspaces;
    std::unique_ptr<ExportController> m_exports;
    std::unique_ptr<ModelController> m_model;
    std::unique_ptr<LowRankController> m_lowRank;
    std::unique_ptr<AttentionMapController> m_attentionMaps;
    std::unique_ptr<EncoderController> m_encoder;
    std::unique_ptr<TokensController> m_tokens;
    std::unique_ptr<AttentionLabController> m_attentionLab;
    std::unique_ptr<AddressingController> m_addressing;
    std::unique_ptr<AttentionTrainingController> m_attentionTraining;
    std::unique_ptr<TokenPlanController> m_tokenPlan;
    std::unique_ptr<CacheTab> m_cache;
    std::unique_ptr<Autosave> m_autosave;
};

} // namespace tamis::app
