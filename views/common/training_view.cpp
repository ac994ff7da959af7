// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/common/training_view.h"

#include "views/common/chart_figure.h"
#include "views/common/icons.h"
#include "views/common/ink.h"
#include "views/common/line_chart.h"
#include "views/common/number_format.h"
#include "views/common/theme.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QProgressBar>
#include <QPushButton>
#include <QVBoxLayout>

#include <algorithm>

namespace tamis::views {
namespace {
const report::Series* seriesNamed(const std::vector<report::Series>& losses, bool heldOut)
{
    const auto found = std::ranges::find_if(losses, [heldOut](const report::Series& series) { return series.dashed == heldOut && !series.baseline && !series.points.empty(); });
    return found == losses.end() ? nullptr : &*found;
}
} // namespace

TrainingView::TrainingView(const Words& words, QWidget* parent)
    : QWidget(parent), m_words(words), m_chart(new LineChart(this)), m_state(mutedLabel(this, QStringLiteral("trainingState") + words.suffix)), m_progress(new QProgressBar(this))
{
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(Theme::kSpacing);
    auto* row = new QHBoxLayout;
    m_state->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    m_progress->setObjectName(QStringLiteral("trainingProgress") + words.suffix);
    m_progress->setAccessibleName(tr("Progress of the training"));
    m_progress->setRange(0, 1000);
    m_progress->setMaximumWidth(180);
    m_train = button(tr("Train"), QStringLiteral("trainOnPage"), {});
    m_train->setIcon(themedIcon(QStringLiteral("run")));
    m_finish = button(tr("Finish now"), QStringLiteral("finishTraining"), words.finishHelp);
    m_cancel = button(tr("Cancel"), QStringLiteral("cancelTraining"), tr("Ends training and keeps nothing of it"));
    m_cancel->setIcon(themedIcon(QStringLiteral("stop")));
    row->addWidget(m_state, 1);
    for (QWidget* each : {static_cast<QWidget*>(m_progress), static_cast<QWidget*>(m_finish), static_cast<QWidget*>(m_cancel), static_cast<QWidget*>(m_train)})
        row->addWidget(each);
    column->addLayout(row);
    m_chart->setObjectName(words.chart);
    m_chart->setAccessibleName(tr("Training loss"));
    m_chart->setEmptyText(words.emptyChart);
    onChartExport(m_chart, this, [this](Figure& figure, FigureFormat format) { emit exportRequested(&figure, format, m_words.picture); });
    column->addWidget(m_chart, 1);
    connect(m_train, &QPushButton::clicked, this, &TrainingView::trainRequested);
    connect(m_finish, &QPushButton::clicked, this, &TrainingView::finishRequested);
    connect(m_cancel, &QPushButton::clicked, this, &TrainingView::cancelRequested);
    setLosses({});
    setRunning({});
    setTrainReason({});
}

QPushButton* TrainingView::button(const QString& title, const QString& name, const QString& help)
{
    auto* made = new QPushButton(title, this);
    made->setObjectName(name + m_words.suffix);
    made->setToolTip(help);
    return made;
}

void TrainingView::setLosses(const std::vector<report::Series>& losses)
{
    m_losses = losses;
    const bool positive = std::ranges::all_of(losses, [](const report::Series& series) { return std::ranges::all_of(series.points, [](const report::Point& point) { return point.y > 0; }); });
    m_chart->setAxes({.xTitle = tr("Step"), .yTitle = tr("Loss"), .rightTitle = {}, .logX = false, .logY = positive, .wholeX = true});
    m_chart->setSeries(losses);
    showState();
}

void TrainingView::setRunning(const QString& title)
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

void TrainingView::setProgress(double fraction, double remainingSeconds)
{
    m_progress->setValue(static_cast<int>(fraction * 1000));
    m_remaining = remainingSeconds;
    showState();
}

void TrainingView::setFinishing()
{
    m_finishing = true;
    m_finish->setEnabled(false);
    showState();
}

void TrainingView::setTrainReason(const QString& reason)
{
    m_train->setEnabled(reason.isEmpty());
    m_train->setToolTip(reason.isEmpty() ? m_words.trainHelp : tr("Not now: %1").arg(reason));
}

void TrainingView::setCaption(const QString& settings) { m_chart->setCaption(settings); }

void TrainingView::showState()
{
    QStringList parts;
    if (isRunning())
        parts << (m_finishing ? tr("Finishing %1").arg(m_running) : m_running);
    if (const auto* training = seriesNamed(m_losses, false))
        parts << tr("step %1: loss %2").arg(static_cast<qlonglong>(training->points.back().x)).arg(formatNumber(training->points.back().y, 4));
    if (const auto* heldOut = seriesNamed(m_losses, true)) {
        const auto best = std::ranges::min_element(heldOut->points, {}, &report::Point::y);
        parts << tr("held out %1, best %2 at step %3").arg(formatNumber(heldOut->points.back().y, 4), formatNumber(best->y, 4)).arg(static_cast<qlonglong>(best->x));
    }
    if (isRunning() && m_remaining >= 0)
        parts << tr("%1 left").arg(formatDuration(m_remaining));
    if (parts.isEmpty())
        parts << m_words.notTrained;
    m_state->setText(parts.join(QStringLiteral(" · ")));
    m_state->setToolTip(parts.join(QLatin1Char('\n')));
}

} // namespace tamis::views
