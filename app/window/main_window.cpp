// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/main_window.h"

#include "app/window/lane_progress.h"
#include "app/window/lowrank_run_controller.h"
#include "app/window/window_commands.h"
#include "views/addressing/addressing_bench.h"
#include "views/attention/attention_lab_panel.h"
#include "views/attention/attention_settings.h"
#include "views/cache/cache_panel.h"
#include "views/common/chart_figure.h"
#include "views/common/copyable_table_view.h"
#include "views/common/figure_export.h"
#include "views/common/fitted_scroll_area.h"
#include "views/common/icons.h"
#include "views/common/line_chart.h"
#include "views/common/notice_bar.h"
#include "views/common/page_tabs.h"
#include "views/common/parameter_editor.h"
#include "views/common/pareto_chart.h"
#include "views/common/theme.h"
#include "views/encoder/encoder_panel.h"
#include "views/encoder/encoder_settings.h"
#include "views/jobs/jobs_view.h"
#include "views/jobs/log_view.h"
#include "views/lowrank/low_rank_panel.h"
#include "views/model/model_panel.h"
#include "views/photos/photo_grid.h"
#include "views/plan/cost_header.h"
#include "views/plan/operating_points.h"
#include "views/spectrum/landscape_view.h"
#include "views/spectrum/spectrum_panel.h"
#include "views/spectrum/spectrum_table.h"
#include "views/tokens/token_panel.h"
#include "views/tokens/token_settings.h"
#include "views/workspace/workspace_tree.h"

#include <QCloseEvent>
#include <QComboBox>
#include <QDockWidget>
#include <QFileInfo>
#include <QFormLayout>
#include <QLabel>
#include <QMenuBar>
#include <QMimeData>
#include <QScreen>
#include <QScrollArea>
#include <QSettings>
#include <QStackedWidget>
#include <QStatusBar>
#include <QTabWidget>
#include <QVBoxLayout>

namespace tamis::app {
namespace {
const QString kLayoutKey = QStringLiteral("windowLayout");
} // namespace

MainWindow::MainWindow(const QString& autosaveDirectory) : m_ask(FileQuestions::dialogs(this))
{
    setObjectName(QStringLiteral("mainWindow"));
    setWindowIcon(views::applicationIcon());
    setAcceptDrops(true);
    setDockNestingEnabled(true);
    const QSize screenSize = screen() ? screen()->availableSize() : QSize(1600, 1000);
    resize(QSize(1560, 980).boundedTo(screenSize));
    m_commands = new CommandRegistry(this);
    buildCentre();
    buildDocks();
    auto* progress = new LaneProgress(tr("Progress of the spectra"), this);
    statusBar()->addPermanentWidget(progress);
    m_spectrum = std::make_unique<SpectrumController>(m_document, m_views);
    progress->follow(m_spectrum->lane());
    m_workspaces = std::make_unique<WorkspaceController>(m_document, m_jobs, m_recent, m_ask);
    m_exports = std::make_unique<ExportController>(m_document, *m_spectrum, m_jobs, m_ask);
    m_model = std::make_unique<ModelController>(ModelNeighbours{m_document, *m_spectrum, *m_workspaces, *m_exports, m_jobs, m_ask}, m_modelViews);
    m_lowRank = std::make_unique<LowRankController>(LowRankNeighbours{m_document, *m_model, *m_exports, m_jobs, m_ask}, m_lowRankViews);
    m_attentionMaps = std::make_unique<AttentionMapController>(AttentionMapNeighbours{*m_model, *m_spectrum, *m_exports, m_ask}, *m_lowRankViews.panel, *m_modelViews.photoModel);
    m_encoder = std::make_unique<EncoderController>(EncoderNeighbours{m_document, *m_workspaces, *m_model, *m_exports, m_jobs, m_ask}, m_encoderViews);
    m_tokens = std::make_unique<TokensController>(TokensNeighbours{m_document, *m_model, *m_exports, m_jobs, m_ask}, *m_tokenPanel);
    m_attentionLab = std::make_unique<AttentionLabController>(AttentionLabNeighbours{m_document, *m_model, *m_exports, m_jobs, m_ask}, *m_attentionPanel);
    m_addressing = std::make_unique<AddressingController>(AddressingNeighbours{m_document, *m_attentionLab, m_jobs, m_ask}, *m_attentionPanel->addressing());
    m_attentionTraining = std::make_unique<AttentionTrainingController>(AttentionTrainingNeighbours{m_document, *m_attentionLab, m_jobs, m_ask}, *m_attentionPanel->training());
    m_exports->setAttention([this] { return m_attentionLab->planned(); });
    m_tokenPlan = std::make_unique<TokenPlanController>(m_document, *m_tokens, *m_views.header, *m_tokenPanel->settings());
    m_cache = std::make_unique<CacheTab>(CacheNeighbours{m_document, *m_model, *m_exports, m_jobs, m_recent, m_ask, *m_views.tree, *m_views.header}, *m_cachePanel);
    if (!autosaveDirectory.isEmpty())
        m_autosave = std::make_unique<Autosave>(m_document, autosaveDirectory);
    registerCommands(*this);
    buildMenus();
    m_palette = new CommandPalette(*m_commands, this);
    connectControllers();
    connectExports();
    showTitle();
    m_commands->refresh();
}

MainWindow::~MainWindow()
{
    disconnect(&m_document.undoStack(), nullptr, this, nullptr); // tells of its end after the controllers are gone
    m_cache.reset();
    m_tokenPlan.reset();
    m_attentionTraining.reset();
    m_addressing.reset();
    m_attentionLab.reset();
    m_tokens.reset();
    m_encoder.reset();
    m_attentionMaps.reset();
    m_lowRank.reset();
    m_model.reset(); // joins its lanes before the views go
    m_exports.reset();
    m_workspaces.reset();
    m_spectrum.reset(); // joins the lane before the views go
}

void MainWindow::buildCentre()
{
    auto* centre = new QWidget(this);
    auto* layout = new QVBoxLayout(centre);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(0);
    m_notice = new views::NoticeBar(centre);
    m_notice->setObjectName(QStringLiteral("noticeBar"));
    m_views.header = new views::CostHeader(centre);
    m_views.panel = new views::SpectrumPanel(centre);
    m_modelViews.panel = new views::ModelPanel(centre);
    m_modelViews.photoModel = new views::PhotoModel(this);
    m_modelViews.photos = new views::PhotoGrid(*m_modelViews.photoModel, centre);
    m_lowRankViews.panel = new views::LowRankPanel(centre);
    m_encoderViews.panel = new views::EncoderPanel(centre);
    m_tokenPanel = new views::TokenPanel(centre);
    m_attentionPanel = new views::AttentionLabPanel(*m_modelViews.photoModel, centre);
    m_cachePanel = new views::CachePanel(centre);
    m_labs = new views::PageTabs(centre);
    m_labs->setObjectName(QStringLiteral("labs"));
    m_labs->setDocumentMode(true);
    layout->addWidget(m_notice);
    layout->addWidget(m_views.header);
    layout->addWidget(m_labs, 1);
    setCentralWidget(centre);
}

QDockWidget* MainWindow::dock(const QString& title, const QString& name, QWidget* content, Qt::DockWidgetArea area)
{
    auto* dock = new QDockWidget(title, this);
    dock->setObjectName(name);
    dock->setWidget(content);
    addDockWidget(area, dock);
    return dock;
}

void MainWindow::addLab(QWidget* lab, const QString& title, QWidget* settings)
{
    m_settingsOf.push_back(settings ? m_settings->count() : 0);
    auto* room = new QScrollArea(m_labs); // a window may be narrower than its labs
    room->setWidgetResizable(true);
    room->setFrameShape(QFrame::NoFrame);
    room->setFocusPolicy(Qt::NoFocus); // Tab goes to what is in it
    room->setWidget(lab);
    m_labs->addTab(room, title);
    if (!settings)
        return;
    auto* scroll = new views::FittedScrollArea(m_settings);
    scroll->setWidget(settings);
    m_settings->addWidget(scroll);
}

void MainWindow::buildDocks()
{
    m_views.tree = new views::WorkspaceTree(this);
    m_views.tree->setMinimumWidth(170);
    m_modelViews.tree = m_encoderViews.tree = m_views.tree;
    m_workspaceDock = dock(tr("Workspace"), QStringLiteral("workspaceDock"), m_views.tree, Qt::LeftDockWidgetArea);

    auto* side = new QWidget(this);
    auto* layout = new QVBoxLayout(side);
    layout->setContentsMargins(views::Theme::kMargin, views::Theme::kMargin, views::Theme::kMargin, views::Theme::kMargin);
    m_views.method = new QComboBox(side);
    m_views.method->setObjectName(QStringLiteral("methodCombo"));
    m_views.method->setAccessibleName(tr("Method"));
    m_views.method->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    m_views.parameters = new views::ParameterEditor(side);
    m_views.parameters->setObjectName(QStringLiteral("parameterEditor"));
    layout->addWidget(new QLabel(tr("Method"), side));
    layout->addWidget(m_views.method);
    layout->addSpacing(views::Theme::kSpacing);
    layout->addWidget(m_views.parameters);
    layout->addStretch();
    m_settings = new QStackedWidget(this);
    addLab(m_views.panel, tr("Spectrum"), side);
    addLab(m_modelViews.panel, tr("Model"));
    addLab(m_modelViews.photos, tr("Photos"));
    addLab(m_lowRankViews.panel, tr("Low rank"), m_lowRankViews.panel->settings());
    addLab(m_encoderViews.panel, tr("Encoder"), m_encoderViews.panel->settings());
    addLab(m_tokenPanel, tr("Tokens"), m_tokenPanel->settings());
    addLab(m_attentionPanel, tr("Attention"), m_attentionPanel->settings());
    addLab(m_cachePanel, tr("Cache"), m_cachePanel->settings());
    m_parametersDock = dock(tr("Parameters"), QStringLiteral("parametersDock"), m_settings, Qt::RightDockWidgetArea);
    connect(m_labs, &QTabWidget::currentChanged, this, [this](int lab) { // the low-rank lab has a budget of its own, those that follow have none
        m_settings->setCurrentIndex(m_settingsOf[static_cast<std::size_t>(lab)]);
        m_views.header->setVisible(m_settings->currentIndex() == 0);
    });

    m_views.points = new views::OperatingPoints(this);
    m_jobsView = new views::JobsView(this);
    m_jobsView->setModel(&m_jobModel);
    m_log = new views::LogView(this);
    m_pointsDock = dock(tr("Operating points"), QStringLiteral("pointsDock"), m_views.points, Qt::BottomDockWidgetArea);
    auto* jobs = dock(tr("Jobs"), QStringLiteral("jobsDock"), m_jobsView, Qt::BottomDockWidgetArea);
    auto* log = dock(tr("Log"), QStringLiteral("logDock"), m_log, Qt::BottomDockWidgetArea);
    tabifyDockWidget(m_pointsDock, jobs);
    tabifyDockWidget(jobs, log);
    m_pointsDock->raise();
    setCorner(Qt::BottomLeftCorner, Qt::LeftDockWidgetArea);
    setCorner(Qt::BottomRightCorner, Qt::RightDockWidgetArea);
}

void MainWindow::buildMenus()
{
    for (const auto& category : m_commands->categories()) {
        auto* menu = menuBar()->addMenu(category);
        m_commands->fillMenu(*menu, category);
        if (category == tr("File")) {
            m_recentMenu = new QMenu(tr("Open recent"), this);
            menu->insertMenu(m_commands->action(QStringLiteral("file.save")), m_recentMenu);
        }
        if (category == tr("View")) {
            menu->addSeparator();
            for (auto* dock : findChildren<QDockWidget*>())
                menu->addAction(dock->toggleViewAction());
        }
    }
    connect(&m_recent, &RecentFiles::changed, this, &MainWindow::showRecent);
    showRecent();
}

void MainWindow::showRecent()
{
    m_recentMenu->clear();
    for (const auto& path : m_recent.paths())
        connect(m_recentMenu->addAction(path), &QAction::triggered, this, [this, path] { open(path); });
    m_recentMenu->setEnabled(!m_recentMenu->isEmpty());
}

void MainWindow::connectControllers()
{
    connect(m_workspaces.get(), &WorkspaceController::workspaceChanged, this,
            [this] {
                m_spectrum->setWorkspace(m_workspaces->workspace());
                m_model->setWorkspace(m_workspaces->workspace());
                m_lowRank->setWorkspace(m_workspaces->workspace());
                m_attentionMaps->setWorkspace(m_workspaces->workspace());
                m_tokens->setWorkspace(m_workspaces->workspace());
                m_attentionLab->setWorkspace(m_workspaces->workspace());
                m_cache->setWorkspace(m_workspaces->workspace());
                m_encoder->setWorkspace();
                m_commands->refresh();
            });
    connect(m_model.get(), &ModelController::failed, this, &MainWindow::sayFailure);
    connect(m_model.get(), &ModelController::done, this, [this](const QString& sentence) { say(false, sentence); });
    listenTo(*m_lowRank);
    listenTo(*m_encoder);
    listenTo(*m_tokens);
    listenTo(*m_attentionLab);
    listenTo(*m_addressing);
    listenTo(*m_attentionTraining);
    listenTo(*m_cache);
    connect(m_cache.get(), &CacheTab::opened, this, [this] { showLab(m_cachePanel); });
    connect(m_views.tree, &views::WorkspaceTree::traceSelected, this, [this] { showLab(m_cachePanel); });
    connect(m_encoder.get(), &EncoderController::opened, this, [this] { showLab(m_encoderViews.panel); });
    connect(m_model.get(), &ModelController::reportShown, m_commands, &CommandRegistry::refresh);
    connect(m_model.get(), &ModelController::photoFolderChanged, this, [this](const QString& folder) {
        m_document.select([&](Selection& selection) { selection.photos = folder.toStdString(); });
    });
    connect(&m_document, &SessionDocument::stateChanged, this, [this](const SessionState&, const SessionState& after) {
        const QString folder = QString::fromStdString(after.selection.photos);
        if (folder == m_model->photoFolder())
            return;
        folder.isEmpty() ? m_model->closePhotos() : m_model->openPhotos(folder);
    });
    connect(m_views.tree, &views::WorkspaceTree::photosSelected, this, [this] { showLab(m_modelViews.photos); });
    connect(m_workspaces.get(), &WorkspaceController::sessionFileChanged, this, &MainWindow::showTitle);
    connect(m_workspaces.get(), &WorkspaceController::failed, this, &MainWindow::sayFailure);
    connect(m_workspaces.get(), &WorkspaceController::lowRankPlanOpened, this, [this](const plan::Plan& plan) {
        m_lowRank->runs().openPlan(plan); // first: a page that comes into sight runs its method
        showLab(m_lowRankViews.panel);
    });
    connect(m_spectrum.get(), &SpectrumController::failed, this, &MainWindow::sayFailure);
    connect(m_exports.get(), &ExportController::failed, this, &MainWindow::sayFailure);
    connect(&m_document.undoStack(), &QUndoStack::cleanChanged, this, &MainWindow::showTitle);
    connect(m_views.tree, &views::WorkspaceTree::openRequested, m_workspaces.get(), &WorkspaceController::askAndOpenFile);
    connect(m_views.tree, &views::WorkspaceTree::closeRequested, this, [this](const QString& path) {
        if (!path.isEmpty() && path == m_model->photoFolder())
            m_model->closePhotos();
        else if (!path.isEmpty() && path == QString::fromStdString(m_document.state().encoder.autoencoder))
            m_encoder->close();
        else if (!path.isEmpty() && path == QString::fromStdString(m_document.state().cache.trace))
            m_cache->cache().close();
        else
            m_workspaces->closeWorkspace();
    });
    connect(m_jobsView, &views::JobsView::cancelRequested, this, [this](int row) {
        if (row >= 0 && row < static_cast<int>(m_jobs.jobs().size()))
            m_jobs.cancel(m_jobs.jobs()[static_cast<std::size_t>(row)].id);
    });
    connect(m_jobsView, &views::JobsView::clearFinishedRequested, &m_jobs, &JobQueue::removeFinished);
    connect(&m_jobs, &JobQueue::logged, this, [this](const QString& title, bool warning, const QString& line) {
        m_log->append(warning ? views::LogEntry::Level::Warning : views::LogEntry::Level::Information, title + QStringLiteral(": ") + line);
    });
    connect(m_commands, &CommandRegistry::refused, this,
            [this](const QString& title, const QString& reason) { statusBar()->showMessage(title + QStringLiteral(": ") + reason, 4000); });
    connect(&m_document, &SessionDocument::stateChanged, m_commands, &CommandRegistry::refresh);
    connect(m_spectrum.get(), &SpectrumController::upToDateChanged, m_commands, &CommandRegistry::refresh);
}

void MainWindow::connectExports()
{
    auto* chart = m_views.panel->chart();
    views::onChartExport(chart, this, [this](views::Figure& figure, views::FigureFormat format) { m_exports->exportFigure(figure, format, QStringLiteral("spectrum")); });
    auto* table = m_views.panel->table()->view();
    connect(table, &views::CopyableTableView::exportRequested, this,
            [this, table](views::FigureFormat format) { m_exports->exportFigure(*table, format, QStringLiteral("matrices")); });
    auto* points = m_views.points->view();
    connect(points, &views::CopyableTableView::exportRequested, this,
            [this, points](views::FigureFormat format) { m_exports->exportFigure(*points, format, QStringLiteral("operating-points")); });
    connect(m_exports.get(), &ExportController::done, this, [this](const QString& sentence) { say(false, sentence); });
    connect(m_workspaces.get(), &WorkspaceController::told, this, [this](const QString& sentence) { say(false, sentence); });
    connect(m_workspaces.get(), &WorkspaceController::warned, this, [this](const QString& sentence) { say(true, sentence); });
}

void MainWindow::open(const QString& path)
{
    if (looksLikeTrace(path.toStdString())) {
        m_cache->cache().open(path);
        return;
    }
    if (!looksLikePhotos(path)) {
        m_workspaces->open(path);
        return;
    }
    const bool besideModel = m_workspaces->workspace() != nullptr; // beside a model that is being opened they stay in the background
    m_model->openPhotos(QFileInfo(path).absoluteFilePath());
    if (besideModel)
        showLab(m_modelViews.photos);
}

void MainWindow::showLab(QWidget* lab)
{
    for (int at = 0; at < m_labs->count(); ++at)
        if (static_cast<QScrollArea*>(m_labs->widget(at))->widget() == lab)
            m_labs->setCurrentIndex(at);
}

void MainWindow::say(bool warning, const QString& sentence)
{
    m_log->append(warning ? views::LogEntry::Level::Warning : views::LogEntry::Level::Information, sentence);
    m_notice->showNotice(warning ? views::NoticeBar::Severity::Warning : views::NoticeBar::Severity::Information, sentence);
}

void MainWindow::sayFailure(const QString& sentence)
{
    m_log->append(views::LogEntry::Level::Error, sentence);
    m_notice->showNotice(views::NoticeBar::Severity::Error, sentence);
}

void MainWindow::showTitle()
{
    const auto& workspace = m_workspaces->workspace();
    QString title = QStringLiteral("Tamis");
    if (workspace)
        title = QFileInfo(QString::fromStdString(workspace->outline.modelPath)).fileName() + QStringLiteral(" – Tamis");
    if (const QString file = m_workspaces->sessionFile(); !file.isEmpty())
        title = QFileInfo(file).fileName() + QStringLiteral("[*] – ") + title;
    setWindowTitle(title.contains(QLatin1String("[*]")) ? title : title + QStringLiteral("[*]"));
    setWindowModified(m_document.isModified() && !m_workspaces->sessionFile().isEmpty());
}

void MainWindow::offerRecovery(const QString& directory)
{
    const auto left = Autosave::leftBehind(directory);
    if (!left)
        return;
    if (m_ask.confirm(tr("Bring back the last session?"), tr("Tamis did not end properly last time. Its session was kept. Bring it back?")))
        m_workspaces->recoverSession(*left);
    Autosave::discard(*left);
}

void MainWindow::showEvent(QShowEvent* event)
{
    QMainWindow::showEvent(event);
    if (std::exchange(m_arranged, true))
        return;
    const QSettings settings;
    if (settings.contains(kLayoutKey) && restoreState(settings.value(kLayoutKey).toByteArray()))
        return;
    resizeDocks({m_workspaceDock, m_parametersDock}, {300, 290}, Qt::Horizontal);
    resizeDocks({m_pointsDock}, {160}, Qt::Vertical);
}

void MainWindow::closeEvent(QCloseEvent* event)
{
    if (!m_workspaces->mayClose()) {
        event->ignore();
        return;
    }
    QSettings().setValue(kLayoutKey, saveState());
    m_spectrum->lane().cancel();
    m_jobs.cancelAll();
    event->accept();
}

void MainWindow::dragEnterEvent(QDragEnterEvent* event)
{
    if (event->mimeData()->hasUrls() && event->mimeData()->urls().first().isLocalFile())
        event->acceptProposedAction();
}

void MainWindow::dropEvent(QDropEvent* event)
{
    for (const auto& url : event->mimeData()->urls())
        open(url.toLocalFile());
}

} // namespace tamis::app
