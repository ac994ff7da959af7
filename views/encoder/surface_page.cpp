// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/encoder/surface_page.h"

#include "views/common/figure_export.h"
#include "views/common/icons.h"
#include "views/common/ink.h"
#include "views/common/labelled_combo.h"
#include "views/common/number_format.h"
#include "views/common/theme.h"
#include "views/encoder/surface_view.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QProgressBar>
#include <QPushButton>
#include <QToolButton>
#include <QVBoxLayout>

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
constexpr double kAims[] = {0.9, 0.95, 0.99, 0.999, 1};
constexpr int kFirstAim = 2;

/// The measured point of these settings, or of those nearest below in candidates and nearest in rank.
const report::RecallPoint* nearest(const report::RecallSurface& surface, std::int64_t rank, std::int64_t candidates)
{
    const auto distance = [&](const report::RecallPoint& point) {
        return std::abs(std::log2(static_cast<double>(point.rank) / static_cast<double>(std::max<std::int64_t>(rank, 1)))) +
               std::abs(std::log2(static_cast<double>(point.candidates) / static_cast<double>(std::max<std::int64_t>(candidates, 1))));
    };
    const auto found = std::ranges::min_element(surface.points, {}, distance);
    return found == surface.points.end() ? nullptr : &*found;
}
} // namespace

SurfacePage::SurfacePage(QWidget* parent)
    : QWidget(parent), m_view(new SurfaceView(this)), m_state(mutedLabel(this, QStringLiteral("surfaceState"))), m_progress(new QProgressBar(this)), m_stop(new QToolButton(this)),
      m_take(new QPushButton(tr("Take the cheapest"), this)), m_goOn(new QPushButton(tr("Go on"), this))
{
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, Theme::kSpacing, 0, 0);
    column->setSpacing(Theme::kSpacing);
    auto* row = new QHBoxLayout;
    m_measure = labelledCombo(this, row, tr("&Recall"), QStringLiteral("surfaceMeasure"), tr("What the colours are"));
    const std::pair<report::RecallMeasure, QString> measures[] = {{report::RecallMeasure::Mean, tr("mean")}, {report::RecallMeasure::P5, tr("5th percentile")},
                                                                  {report::RecallMeasure::P1, tr("1st percentile")}, {report::RecallMeasure::Least, tr("least token")}};
    for (const auto& [measure, title] : measures)
        m_measure->addItem(title, static_cast<int>(measure));
    m_cost = labelledCombo(this, row, tr("&Lines of equal"), QStringLiteral("surfaceCost"), tr("What the dashed lines are, and what is cheapest"));
    m_cost->addItem(tr("MACs"), static_cast<int>(report::SurfaceCost::Macs));
    m_cost->addItem(tr("bytes read"), static_cast<int>(report::SurfaceCost::BytesRead));
    m_aim = labelledCombo(this, row, tr("&Aim"), QStringLiteral("surfaceAim"), tr("The recall that the cheapest setting has to reach"));
    for (const double aim : kAims)
        m_aim->addItem(formatPercent(aim, aim > 0.995 && aim < 1 ? 1 : 0), aim);
    m_aim->setCurrentIndex(kFirstAim);
    row->addStretch(1);
    m_progress->setObjectName(QStringLiteral("surfaceProgress"));
    m_progress->setAccessibleName(tr("Progress of the surface"));
    m_progress->setMaximumWidth(160);
    m_progress->setRange(0, 1000);
    m_stop->setObjectName(QStringLiteral("stopSurface"));
    m_stop->setText(tr("Stop"));
    m_stop->setToolTip(tr("Stop computing; what is on screen stays"));
    m_goOn->setObjectName(QStringLiteral("goOnSurface"));
    m_goOn->setToolTip(tr("Measure the ranks that are missing"));
    m_take->setObjectName(QStringLiteral("takeCheapest"));
    auto* exports = new ExportButton(this);
    exports->setObjectName(QStringLiteral("exportSurface"));
    exports->copyFrom(*m_view);
    row->addWidget(m_progress);
    row->addWidget(m_stop);
    row->addWidget(m_goOn);
    row->addWidget(m_take);
    row->addWidget(exports);
    column->addLayout(row);
    m_state->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    column->addWidget(m_state);
    column->addWidget(m_view, 1);
    connect(m_measure, &QComboBox::currentIndexChanged, this, [this] {
        m_view->setMeasure(static_cast<report::RecallMeasure>(m_measure->currentData().toInt()));
        showState();
    });
    connect(m_cost, &QComboBox::currentIndexChanged, this, [this] {
        m_view->setCost(static_cast<report::SurfaceCost>(m_cost->currentData().toInt()));
        showState();
    });
    connect(m_aim, &QComboBox::currentIndexChanged, this, [this] {
        m_view->setAim(m_aim->currentData().toDouble());
        showState();
    });
    connect(m_take, &QPushButton::clicked, this, [this] {
        if (const auto* best = m_view->cheapest())
            emit pointChosen(best->rank, best->candidates);
    });
    connect(m_stop, &QToolButton::clicked, this, &SurfacePage::stopRequested);
    connect(m_goOn, &QPushButton::clicked, this, &SurfacePage::goOnRequested);
    connect(m_view, &SurfaceView::pointChosen, this, &SurfacePage::pointChosen);
    connect(exports, &ExportButton::exportRequested, this, [this](FigureFormat format) { emit exportRequested(m_view, format, QStringLiteral("recall-surface")); });
    setProgress({});
    setStopped(false);
    showState();
}

void SurfacePage::setSurface(std::shared_ptr<const report::RecallSurface> surface, bool complete)
{
    m_complete = complete;
    m_view->setSurface(std::move(surface));
    showState();
}

void SurfacePage::setCurrent(const std::optional<std::pair<std::int64_t, std::int64_t>>& current)
{
    m_view->setCurrent(current);
    showState();
}

void SurfacePage::setProgress(std::optional<double> fraction)
{
    m_progress->setVisible(fraction.has_value());
    m_stop->setVisible(fraction.has_value());
    m_progress->setValue(static_cast<int>(fraction.value_or(0) * 1000));
}

void SurfacePage::setStopped(bool stopped) { m_goOn->setVisible(stopped); }
void SurfacePage::setStale(bool stale) { m_view->setStale(stale); }

void SurfacePage::setProblem(const QString& sentence) { m_view->setEmptyText(sentence.isEmpty() ? tr("Nothing measured yet.") : sentence); }

void SurfacePage::setCaption(const QString& settings) { m_view->setCaption(settings); }

QString SurfacePage::sentence() const
{
    const auto& surface = m_view->surface();
    if (!surface || surface->points.empty())
        return {};
    const auto told = [&](const report::RecallPoint& point) {
        const auto cost = m_view->cost();
        const QString share = formatPercent(report::costAt(point, cost) / report::exactCost(*surface, cost));
        return tr("r = %1, K = %2: recall %3 for %4")
            .arg(point.rank)
            .arg(point.candidates)
            .arg(formatPercent(report::recallAt(point, m_view->measure()), 2), cost == report::SurfaceCost::Macs ? tr("%1 of the MACs").arg(share) : tr("%1 of the bytes").arg(share));
    };
    QStringList parts;
    if (const auto* best = m_view->cheapest())
        parts << tr("Cheapest with %1: %2").arg(m_aim->currentText(), told(*best));
    else
        parts << tr("No setting reaches %1").arg(m_aim->currentText());
    if (const auto& now = m_view->current())
        if (const auto* point = nearest(*surface, now->first, now->second))
            parts << (point->rank == now->first && point->candidates == now->second ? tr("now %1").arg(told(*point)) : tr("nearest to now %1").arg(told(*point)));
    parts << (m_complete ? tr("%1 tokens").arg(surface->tokens) : tr("%1 ranks on %2 tokens so far").arg(surface->ranks.size()).arg(surface->tokens));
    return parts.join(QStringLiteral(" · "));
}

void SurfacePage::showState()
{
    const QString text = sentence();
    m_state->setText(text);
    m_state->setToolTip(text);
    const auto* best = m_view->cheapest();
    m_take->setEnabled(best);
    m_take->setToolTip(best ? tr("Two-stage with rank %1 and %2 candidates becomes the current encoder").arg(best->rank).arg(best->candidates) : tr("No measured setting reaches the aim"));
}

void SurfacePage::showEvent(QShowEvent* event)
{
    QWidget::showEvent(event);
    emit shown();
}

} // namespace tamis::views
