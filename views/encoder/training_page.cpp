// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/encoder/training_page.h"

#include "views/common/chart_figure.h"
#include "views/common/copyable_table_view.h"
#include "views/common/icons.h"
#include "views/common/ink.h"
#include "views/common/line_chart.h"
#include "views/common/number_format.h"
#include "views/common/theme.h"

#include <QHBoxLayout>
#include <QHeaderView>
#include <QItemSelectionModel>
#include <QProgressBar>
#include <QPushButton>
#include <QSplitter>
#include <QVBoxLayout>

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
const report::Series* seriesNamed(const std::vector<report::Series>& losses, bool heldOut)
{
    const auto found = std::ranges::find_if(losses, [heldOut](const report::Series& series) { return series.dashed == heldOut && !series.baseline && !series.points.empty(); });
    return found == losses.end() ? nullptr : &*found;
}
} // namespace

TrainingPage::TrainingPage(QWidget* parent)
    : QWidget(parent), m_chart(new LineChart(this)), m_model(new TrainedModel(this)), m_table(new CopyableTableView(this)), m_state(mutedLabel(this, QStringLiteral("trainingState"))),
      m_progress(new QProgressBar(this))
{
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, Theme::kSpacing, 0, 0);
    column->setSpacing(Theme::kSpacing);
    auto* row = new QHBoxLayout;
    m_state->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    m_progress->setObjectName(QStringLiteral("trainingProgress"));
    m_progress->setAccessibleName(tr("Progress of the training"));
    m_progress->setRange(0, 1000);
    m_progress->setMaximumWidth(180);
    m_train = button(tr("Train"), "trainOnPage", {});
    m_train->setIcon(themedIcon(QStringLiteral("run")));
    m_finish = button(tr("Finish now"), "finishTraining", tr("Ends training and keeps the best encoder so far"));
    m_cancel = button(tr("Cancel"), "cancelTraining", tr("Ends training and keeps nothing of it"));
    m_cancel->setIcon(themedIcon(QStringLiteral("stop")));
    row->addWidget(m_state, 1);
    for (QWidget* each : {static_cast<QWidget*>(m_progress), static_cast<QWidget*>(m_finish), static_cast<QWidget*>(m_cancel), static_cast<QWidget*>(m_train)})
        row->addWidget(each);
    column->addLayout(row);
    auto* parts = new QSplitter(Qt::Vertical, this);
    parts->setChildrenCollapsible(false);
    parts->setHandleWidth(Theme::kSpacing);
    m_chart->setObjectName(QStringLiteral("encoderTraining"));
    m_chart->setAccessibleName(tr("Training loss"));
    m_chart->setEmptyText(tr("Losses appear here while an encoder is trained."));
    onChartExport(m_chart, this, [this](Figure& figure, FigureFormat format) { emit exportRequested(&figure, format, QStringLiteral("encoder-training")); });
    parts->addWidget(m_chart);
    parts->addWidget(buildList());
    parts->setSizes({420, 200});
    column->addWidget(parts, 1);
    connect(m_train, &QPushButton::clicked, this, &TrainingPage::trainRequested);
    connect(m_finish, &QPushButton::clicked, this, &TrainingPage::finishRequested);
    connect(m_cancel, &QPushButton::clicked, this, &TrainingPage::cancelRequested);
    setLosses({});
    setRunning({});
    setTrainReason({});
    setTrained({});
}

QPushButton* TrainingPage::button(const QString& title, const char* name, const QString& help)
{
    auto* made = new QPushButton(title, this);
    made->setObjectName(QLatin1String(name));
    made->setToolTip(help);
    return made;
}

QWidget* TrainingPage::buildList()
{
    auto* list = new QWidget(this);
    auto* column = new QVBoxLayout(list);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(Theme::kSpacing / 2);
    auto* row = new QHBoxLayout;
    row->addWidget(new QLabel(tr("Trained in this session"), list), 1);
    m_take = button(tr("Make current"), "takeTrained", tr("The encoder that the other pages show"));
    m_save = button(tr("Save…"), "saveTrained", tr("Weights and settings as a safetensors file"));
    m_open = button(tr("Open…"), "openTrained", {});
    m_forget = button(tr("Forget"), "forgetTrained", tr("Takes it out of the list; a file that it was saved to stays"));
    for (QPushButton* each : {m_take, m_save, m_open, m_forget})
        row->addWidget(each);
    column->addLayout(row);
    m_table->setObjectName(QStringLiteral("trainedEncoders"));
    m_table->setAccessibleName(tr("Trained encoders"));
    m_table->setSourceModel(m_model);
    m_table->setSelectionMode(QAbstractItemView::SingleSelection);
    m_table->sortByColumn(-1, Qt::AscendingOrder);
    m_table->setEmptyMessage(tr("No encoder was trained or opened yet. Choose a method that trains, and press Train."));
    const int digit = m_table->fontMetrics().horizontalAdvance(QLatin1Char('0'));
    constexpr int widths[TrainedModel::kColumnCount] = {20, 22, 17, 14, 10, 14, 16};
    for (int at = 0; at < TrainedModel::kColumnCount; ++at)
        m_table->setColumnWidth(at, std::max(widths[at] * digit, m_table->horizontalHeader()->sectionSizeHint(at)));
    m_table->horizontalHeader()->setStretchLastSection(true);
    column->addWidget(m_table, 1);
    connect(m_table, &CopyableTableView::selectedRowsChanged, this, [this] { showState(); });
    connect(m_table, &CopyableTableView::exportRequested, this, [this](FigureFormat format) { emit exportRequested(m_table, format, QStringLiteral("trained-encoders")); });
    connect(m_table, &QAbstractItemView::activated, this, [this](const QModelIndex& at) {
        if (const auto* of = m_model->at(m_table->toSource(at).row()))
            emit takeRequested(of->number);
    });
    const auto onSelected = [this](QPushButton* of, void (TrainingPage::*signal)(int)) {
        connect(of, &QPushButton::clicked, this, [this, signal] {
            if (const auto number = selected())
                emit(this->*signal)(*number);
        });
    };
    onSelected(m_take, &TrainingPage::takeRequested);
    onSelected(m_save, &TrainingPage::saveRequested);
    onSelected(m_forget, &TrainingPage::forgetRequested);
    connect(m_open, &QPushButton::clicked, this, &TrainingPage::openRequested);
    return list;
}

std::optional<int> TrainingPage::selected() const
{
    const auto rows = m_table->selectionModel() ? m_table->selectionModel()->selectedRows() : QModelIndexList();
    const auto* row = m_model->at(!rows.isEmpty() ? m_table->toSource(rows.first()).row() : m_model->rowCount() == 1 ? 0 : -1);
    return row ? std::optional<int>(row->number) : std::nullopt;
}

void TrainingPage::setLosses(const std::vector<report::Series>& losses)
{
    m_losses = losses;
    const bool positive = std::ranges::all_of(losses, [](const report::Series& series) { return std::ranges::all_of(series.points, [](const report::Point& point) { return point.y > 0; }); });
    m_chart->setAxes({.xTitle = tr("Step"), .yTitle = tr("Loss"), .rightTitle = {}, .logX = false, .logY = positive, .wholeX = true});
    m_chart->setSeries(losses);
    showState();
}

void TrainingPage::setRunning(const QString& title)
{
    m_running = title;
    m_finishing = false;
    m_remaining = -1;
    m_progress->setValue(0);
    for (QWidget* each : {static_cast<QWidget*>(m_progress), static_cast<QWidget*>(m_finish), static_cast<QWidget*>(m_cancel)})
        each->setVisible(isRunning());
    m_train->setVisible(!isRunning());
    m_finish->setEnabled(true);
    showState();
}

void TrainingPage::setProgress(double fraction, double remainingSeconds)
{
    m_progress->setValue(static_cast<int>(fraction * 1000));
    m_remaining = remainingSeconds;
    showState();
}

void TrainingPage::setFinishing()
{
    m_finishing = true;
    m_finish->setEnabled(false);
    showState();
}

void TrainingPage::setTrainReason(const QString& reason)
{
    m_train->setEnabled(reason.isEmpty());
    m_train->setToolTip(reason.isEmpty() ? tr("Trains the chosen method on the tokens it is fitted to") : tr("Not now: %1").arg(reason));
}

void TrainingPage::setOpenReason(const QString& reason)
{
    m_open->setEnabled(reason.isEmpty());
    m_open->setToolTip(reason.isEmpty() ? tr("An encoder of the autoencoder that is open, from the safetensors file it was saved to") : tr("Not now: %1").arg(reason));
}

void TrainingPage::setTrained(std::vector<TrainedRow> rows)
{
    m_model->setRows(std::move(rows));
    showState();
}

void TrainingPage::setCaption(const QString& settings)
{
    m_chart->setCaption(settings);
    m_table->setCaption(settings);
}

void TrainingPage::showState()
{
    QStringList parts;
    if (isRunning())
        parts << (m_finishing ? tr("Finishing %1").arg(m_running) : m_running);
    const auto* training = seriesNamed(m_losses, false);
    const auto* heldOut = seriesNamed(m_losses, true);
    if (training)
        parts << tr("step %1: loss %2").arg(static_cast<qlonglong>(training->points.back().x)).arg(formatNumber(training->points.back().y, 4));
    if (heldOut) {
        const auto best = std::ranges::min_element(heldOut->points, {}, &report::Point::y);
        parts << tr("held out %1, best %2 at step %3").arg(formatNumber(heldOut->points.back().y, 4), formatNumber(best->y, 4)).arg(static_cast<qlonglong>(best->x));
    }
    if (isRunning() && m_remaining >= 0)
        parts << tr("%1 left").arg(formatDuration(m_remaining));
    if (parts.isEmpty())
        parts << tr("The current encoder was not trained here.");
    m_state->setText(parts.join(QStringLiteral(" · ")));
    m_state->setToolTip(parts.join(QLatin1Char('\n')));
    const bool chosen = selected().has_value();
    for (QPushButton* each : {m_take, m_save, m_forget})
        each->setEnabled(chosen);
}

} // namespace tamis::views
