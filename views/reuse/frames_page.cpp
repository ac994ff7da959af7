// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/reuse/frames_page.h"

#include "views/common/copyable_table_view.h"
#include "views/common/elided_label.h"
#include "views/common/figure_export.h"
#include "views/common/inline_bar_delegate.h"
#include "views/common/ink.h"
#include "views/common/labelled_combo.h"
#include "views/common/notice_bar.h"
#include "views/common/number_format.h"
#include "views/reuse/frame_timeline.h"
#include "views/reuse/frame_view.h"
#include "views/reuse/reuse_frontier.h"
#include "views/reuse/reuse_run_model.h"
#include "views/reuse/reuse_settings.h"
#include "views/reuse/reuse_words.h"
#include "views/reuse/transport_bar.h"

#include <QCheckBox>
#include <QComboBox>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QMenu>
#include <QScopedValueRollback>
#include <QSignalBlocker>
#include <QSplitter>
#include <QStackedWidget>
#include <QVBoxLayout>

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
constexpr int kUsualOpacity = 45; ///< percent

QString guess(const report::ReuseReport& report, int label, double probability)
{
    const QString name = labelName(report, label);
    return std::isfinite(probability) ? QStringLiteral("%1 %2").arg(name, formatPercent(probability, 0)) : name;
}
} // namespace

std::optional<double> thresholdOf(const report::ReuseRun& run)
{
    const auto& all = run.parameters.all();
    const auto threshold = all.find("threshold");
    if (threshold == all.end() || !std::holds_alternative<double>(threshold->second))
        return {};
    const auto policy = all.find("policy");
    if (policy != all.end() && std::holds_alternative<std::string>(policy->second) && std::get<std::string>(policy->second) != "threshold")
        return {};
    return std::get<double>(threshold->second);
}

FramesPage::FramesPage(QWidget* parent) : QWidget(parent), m_stack(new QStackedWidget(this)), m_settings(new ReuseSettings(this))
{
    setObjectName(QStringLiteral("framesPage"));
    m_settings->hide(); // until a dock takes it
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, Theme::kSpacing / 2, 0, 0);
    column->addWidget(m_stack);
    m_empty = new PlaceholderPanel(QStringLiteral("photo"), {}, {}, m_stack);
    m_empty->setObjectName(QStringLiteral("framesEmpty"));
    connect(m_empty, &PlaceholderPanel::actionTriggered, this, &FramesPage::openRequested);
    m_stack->addWidget(m_empty);
    auto* top = new QSplitter(Qt::Horizontal, m_stack);
    top->setObjectName(QStringLiteral("framesSplitter"));
    top->setChildrenCollapsible(false);
    top->addWidget(buildPlayer());
    top->addWidget(buildRuns());
    top->setStretchFactor(0, 5);
    top->setStretchFactor(1, 6);
    auto* all = new QSplitter(Qt::Vertical, m_stack);
    all->setChildrenCollapsible(false);
    all->addWidget(top);
    all->addWidget(buildTimeline());
    all->setStretchFactor(0, 3);
    all->setStretchFactor(1, 2);
    m_stack->addWidget(all);
    connectParts();
    setEmptyState(tr("No model is open"), tr("Open a vision transformer to see which patches of a video have to be computed again."), {});
    setProblem({});
    setFrameCount(0, {});
}

QWidget* FramesPage::headed(const QString& title, const QString& name, Figure* figure, QWidget* body, const std::vector<QWidget*>& beside)
{
    auto* box = new QWidget(this);
    auto* column = new QVBoxLayout(box);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(Theme::kSpacing / 2);
    auto* row = new QHBoxLayout;
    auto* label = new ElidedLabel(box, name + QStringLiteral("-title"), Ink::Text);
    label->setText(title);
    row->addWidget(label, 1);
    for (QWidget* each : beside)
        row->addWidget(each);
    auto* exports = new ExportButton(box);
    exports->setObjectName(QStringLiteral("export-") + name);
    exports->copyFrom(*figure);
    row->addWidget(exports);
    connect(exports, &ExportButton::exportRequested, this, [this, figure, name](FigureFormat format) { emit exportRequested(figure, format, name); });
    column->addLayout(row);
    column->addWidget(body, 1);
    return box;
}

QWidget* FramesPage::buildPlayer()
{
    m_view = new FrameView(this);
    m_arrows = new QCheckBox(tr("&Arrows"), this);
    m_arrows->setObjectName(QStringLiteral("frameArrows"));
    m_arrows->setToolTip(tr("From where the features of warped patches came"));
    m_arrows->setChecked(true);
    m_opacity = new QSlider(Qt::Horizontal, this);
    m_opacity->setObjectName(QStringLiteral("frameOpacity"));
    m_opacity->setAccessibleName(tr("Opacity of the colours"));
    m_opacity->setToolTip(tr("Opacity of the colours over the picture"));
    m_opacity->setRange(0, 100);
    m_opacity->setValue(kUsualOpacity);
    m_opacity->setFixedWidth(90);
    auto* box = headed(tr("Where features come from"), QStringLiteral("frame"), m_view, m_view, {m_arrows, m_opacity});
    m_transport = new TransportBar(box);
    m_labels = new QLabel(box);
    m_labels->setObjectName(QStringLiteral("frameLabels"));
    m_labels->setWordWrap(true);
    m_labels->setTextInteractionFlags(Qt::TextSelectableByMouse);
    m_saved = mutedLabel(box, QStringLiteral("frameSaved"));
    m_saved->setWordWrap(true);
    m_saved->setFont(Theme::smallFont(font()));
    m_problem = inkedLabel(box, QStringLiteral("framesProblem"), Ink::Error);
    m_problem->setWordWrap(true);
    for (QWidget* each : std::initializer_list<QWidget*>{m_transport, m_labels, m_saved, m_problem})
        box->layout()->addWidget(each);
    return box;
}

QWidget* FramesPage::buildRuns()
{
    m_runs = new ReuseRunModel(this);
    m_table = new CopyableTableView(this);
    m_table->setObjectName(QStringLiteral("reuseRuns"));
    m_table->setAccessibleName(tr("Runs beside one another"));
    m_table->setSourceModel(m_runs);
    m_table->setEmptyMessage(tr("Runs are listed here: the present settings, what was kept, and the trivial ones."));
    m_table->setSelectionMode(QAbstractItemView::SingleSelection);
    m_table->setSelectionBehavior(QAbstractItemView::SelectRows);
    m_table->setItemDelegate(new InlineBarDelegate(m_table));
    m_table->setItemDelegateForColumn(ReuseRunModel::RunColumn, new QStyledItemDelegate(m_table));
    m_table->horizontalHeader()->setSectionResizeMode(QHeaderView::Interactive);
    m_table->setColumnWidth(ReuseRunModel::RunColumn, 190);
    for (int column = ReuseRunModel::MacsColumn; column < ReuseRunModel::kColumnCount; ++column)
        m_table->setColumnWidth(column, column == ReuseRunModel::AgreementColumn ? 82 : column == ReuseRunModel::FalseColumn ? 96 : 66);
    m_frontier = new ReuseFrontier(this);
    auto* choices = new QWidget(this);
    auto* row = new QHBoxLayout(choices);
    row->setContentsMargins(0, 0, 0, 0);
    m_loss = labelledCombo(choices, row, tr("&Loss"), QStringLiteral("reuseLoss"), tr("What is drawn upwards"));
    for (const auto loss : {ReuseLoss::MeanError, ReuseLoss::WorstError, ReuseLoss::Kl, ReuseLoss::Agreement, ReuseLoss::FalseHits})
        m_loss->addItem(reuseLossTitle(loss), static_cast<int>(loss));
    m_cost = labelledCombo(choices, row, tr("C&ost"), QStringLiteral("reuseCost"), tr("What is drawn to the right"));
    m_cost->addItem(tr("MACs"), static_cast<int>(ReuseCost::Macs));
    m_cost->addItem(tr("Time"), static_cast<int>(ReuseCost::Time));
    m_cost->addItem(tr("Misses"), static_cast<int>(ReuseCost::Misses));
    auto* both = new QSplitter(Qt::Vertical, this);
    both->setChildrenCollapsible(false);
    both->addWidget(headed(tr("Runs"), QStringLiteral("runs"), m_table, m_table));
    both->addWidget(headed(tr("Loss against cost"), QStringLiteral("frontier"), m_frontier, m_frontier, {choices}));
    both->setStretchFactor(0, 2);
    both->setStretchFactor(1, 3);
    return both;
}

QWidget* FramesPage::buildTimeline()
{
    m_timeline = new FrameTimeline(this);
    return headed(tr("Over time"), QStringLiteral("timeline"), m_timeline, m_timeline);
}

void FramesPage::connectParts()
{
    connect(m_arrows, &QCheckBox::toggled, m_view, &FrameView::setArrows);
    connect(m_opacity, &QSlider::valueChanged, this, [this](int percent) { m_view->setOpacity(percent / 100.0); });
    connect(m_transport, &TransportBar::frameChanged, this, [this](int frame) { showFrame(frame, true); });
    connect(m_timeline, &FrameTimeline::frameChosen, this, [this](int frame, bool) {
        m_transport->pause();
        showFrame(frame, true);
    });
    connect(m_loss, &QComboBox::currentIndexChanged, this, [this] { m_frontier->setLoss(static_cast<ReuseLoss>(m_loss->currentData().toInt())); });
    connect(m_cost, &QComboBox::currentIndexChanged, this, [this] { m_frontier->setCost(static_cast<ReuseCost>(m_cost->currentData().toInt())); });
    connect(m_frontier, &FrontierChart::pointActivated, this, &FramesPage::chooseRun);
    connect(m_table, &CopyableTableView::selectedRowsChanged, this, [this](const QList<int>& rows) {
        if (!m_quiet && !rows.isEmpty())
            chooseRun(rows.first());
    });
    connect(m_table, &QAbstractItemView::doubleClicked, this, [this](const QModelIndex& at) { emit runTaken(m_table->toSource(at).row()); });
    connect(m_table, &CopyableTableView::exportRequested, this, [this](FigureFormat format) { emit exportRequested(m_table, format, QStringLiteral("runs")); });
    auto* take = new QAction(tr("Take these settings"), m_table);
    auto* forget = new QAction(tr("Forget this run"), m_table);
    forget->setShortcut(Qt::Key_Delete);
    for (QAction* each : {take, forget}) {
        each->setShortcutContext(Qt::WidgetShortcut);
        m_table->addAction(each);
    }
    take->setObjectName(QStringLiteral("takeReuseRun"));
    forget->setObjectName(QStringLiteral("forgetReuseRun"));
    connect(take, &QAction::triggered, this, [this] { emit runTaken(m_run); });
    connect(forget, &QAction::triggered, this, [this] { emit runForgotten(m_run); });
    // By the reading order of the page; the dock's settings come after it.
    const std::vector<QWidget*> order{m_view, m_arrows, m_opacity, m_transport->slider(), m_table, m_loss, m_cost, m_frontier, m_timeline};
    for (std::size_t i = 1; i < order.size(); ++i)
        QWidget::setTabOrder(order[i - 1], order[i]);
}

void FramesPage::setEmptyState(const QString& title, const QString& text, const QString& action)
{
    m_empty->setTitle(title);
    m_empty->setText(text);
    m_empty->setAction(action);
    m_stack->setCurrentIndex(title.isEmpty() ? 1 : 0);
    if (!title.isEmpty())
        m_transport->pause();
}

void FramesPage::setFrameCount(int count, const std::vector<int>& sceneCuts)
{
    m_count = count;
    m_cuts = sceneCuts;
    m_frame = std::clamp(m_frame, 0, std::max(count - 1, 0));
    m_transport->setFrameCount(count);
    m_timeline->setSceneCuts(sceneCuts);
    m_view->setPhoto({});
    showFrame(m_frame, false);
}

const report::ReuseRun* FramesPage::run(int index) const { return m_shown ? m_shown->run(index) : nullptr; }

void FramesPage::setRuns(std::shared_ptr<const ShownRuns> runs)
{
    m_shown = std::move(runs);
    if (!run(m_run))
        m_run = 0;
    const QScopedValueRollback quiet(m_quiet, true);
    m_runs->setRuns(m_shown);
    m_frontier->setRuns(m_shown);
    showRun();
}

void FramesPage::setShownRun(int index)
{
    m_run = run(index) ? index : 0;
    const QScopedValueRollback quiet(m_quiet, true);
    showRun();
}

void FramesPage::chooseRun(int index)
{
    if (!run(index) || index == m_run)
        return;
    setShownRun(index);
    emit runShown(m_run);
}

/// Everything that is of the run that is shown.
void FramesPage::showRun()
{
    const auto* of = run(m_run);
    m_frontier->setChosen(of ? m_run : -1);
    if (of) {
        const QModelIndex row = m_table->fromSource(m_runs->index(m_run, 0));
        m_table->selectionModel()->setCurrentIndex(row, QItemSelectionModel::ClearAndSelect | QItemSelectionModel::Rows);
    }
    m_timeline->setRuns(m_shown, of ? m_run : -1, of && m_run != 0 ? 0 : -1);
    m_timeline->setFrame(m_frame);
    m_timeline->setStale(m_stale);
    m_transport->setMarks(m_timeline->keyFrames(), m_cuts);
    m_view->setLegend(of ? patchSourcesOf(*of) : std::vector<report::PatchSource>());
    m_view->setThreshold(of ? thresholdOf(*of) : std::nullopt);
    showResult();
}

void FramesPage::setFrame(int frame) { showFrame(frame, false); }

void FramesPage::showFrame(int frame, bool tell)
{
    m_frame = std::clamp(frame, 0, std::max(m_count - 1, 0));
    m_transport->setFrame(m_frame);
    m_timeline->setFrame(m_frame);
    showResult();
    if (tell && m_count > 0)
        emit frameShown(m_frame, m_transport->isPlaying());
}

/// What the shown run made of the frame.
void FramesPage::showResult()
{
    const auto* of = run(m_run);
    const bool known = of && m_frame < static_cast<int>(of->frames.size()) && !of->frames[static_cast<std::size_t>(m_frame)].patches.empty();
    QString title = m_count > 0 ? tr("Frame %1").arg(m_frame + 1) : QString();
    m_view->setStale(m_stale && m_run == 0);
    if (!known) {
        m_view->setTitle(title);
        m_view->setFrame(std::nullopt, m_shown ? m_shown->of->gridRows : 0, m_shown ? m_shown->of->gridColumns : 0);
        m_labels->setText(of && !of->failure.empty() ? tr("%1: %2").arg(runTitle(*of), words(of->failure)) : m_count > 0 ? tr("Not computed yet") : QString());
        m_saved->clear();
        return;
    }
    const auto& frame = of->frames[static_cast<std::size_t>(m_frame)];
    if (!frame.file.empty())
        title += QStringLiteral(" · ") + words(frame.file);
    if (frame.keyFrame)
        title += QStringLiteral(" · ") + tr("key frame");
    m_view->setTitle(title);
    m_view->setFrame(frame, m_shown->of->gridRows, m_shown->of->gridColumns);
    if (!std::isfinite(frame.featureError) && frame.milliseconds == 0) { // decided, before any block has run
        m_labels->setText(tr("Decided: %1 of %2 patches are computed; the answer is on its way").arg(patchCounts(frame)[0]).arg(frame.patches.size()));
        m_saved->setText(std::isfinite(frame.macs) ? tr("%1 MACs of %2 (%3)").arg(formatCount(frame.macs), formatCount(frame.wholeMacs), formatPercent(macsShareOf(frame), 0)) : QString());
        return;
    }
    const QString whole = guess(*m_shown->of, frame.wholeLabel, frame.wholeProbability), now = guess(*m_shown->of, frame.label, frame.probability);
    m_labels->setText(isFlipped(frame) ? tr("Computed whole: %1 → with reuse: <b>%2</b>, another label").arg(whole.toHtmlEscaped(), now.toHtmlEscaped())
                                       : tr("Computed whole: %1 → with reuse: <b>%2</b>").arg(whole.toHtmlEscaped(), now.toHtmlEscaped()));
    m_saved->setText(tr("%1 MACs of %2 (%3) · %4 of %5 · error %6 · KL %7")
                         .arg(formatCount(frame.macs), formatCount(frame.wholeMacs), formatPercent(macsShareOf(frame), 0), formatMilliseconds(frame.milliseconds),
                              formatMilliseconds(frame.wholeMilliseconds), formatNumber(frame.featureError, 3), formatNumber(frame.kl, 3)));
}

void FramesPage::setPhoto(int frame, const QImage& photo)
{
    if (frame == m_frame)
        m_view->setPhoto(photo);
}

void FramesPage::setStale(bool stale)
{
    m_stale = stale;
    m_timeline->setStale(stale && m_run == 0);
    m_view->setStale(stale && m_run == 0);
}

void FramesPage::setProblem(const QString& sentence)
{
    m_problem->setText(sentence);
    m_problem->setVisible(!sentence.isEmpty());
}

void FramesPage::setCaption(const QString& settings)
{
    m_view->setCaption(settings);
    m_timeline->setCaption(settings);
    m_frontier->setCaption(settings);
    m_table->setCaption(settings);
}

void FramesPage::showCollisions()
{
    m_loss->setCurrentIndex(m_loss->findData(static_cast<int>(ReuseLoss::FalseHits)));
    m_cost->setCurrentIndex(m_cost->findData(static_cast<int>(ReuseCost::Misses)));
}

void FramesPage::hideEvent(QHideEvent* event)
{
    m_transport->pause();
    QWidget::hideEvent(event);
}

} // namespace tamis::views
