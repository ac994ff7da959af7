// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/lowrank/ridge_meter.h"

#include "views/common/chart_figure.h"
#include "views/common/ink.h"
#include "views/common/line_chart.h"
#include "views/common/number_format.h"
#include "views/common/theme.h"
#include "views/lowrank/comparison_measure.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>
#include <QVBoxLayout>

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
const double kUnmeasured = std::nan("");
} // namespace

const RidgeSweep::Point* leastHeldOut(const RidgeSweep& sweep)
{
    const RidgeSweep::Point* least = nullptr;
    for (const auto& point : sweep.points)
        if (std::isfinite(point.heldOut) && (!least || point.heldOut < least->heldOut))
            least = &point;
    return least;
}

RidgeMeter::RidgeMeter(QWidget* parent) : QWidget(parent), m_chart(new LineChart(this))
{
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, Theme::kSpacing / 2, 0, 0);
    column->setSpacing(0);
    auto* row = new QHBoxLayout;
    row->setSpacing(2 * Theme::kSpacing);
    m_condition = mutedLabel(this, QStringLiteral("ridgeCondition"));
    m_condition->setToolTip(tr("Largest over least eigenvalue of the uncentred second moments of the inputs: with few tokens the least is zero, and factors without a ridge fit noise"));
    m_least = mutedLabel(this, QStringLiteral("ridgeLeast"));
    m_take = new QPushButton(this);
    m_take->setObjectName(QStringLiteral("takeRidge"));
    m_take->setToolTip(tr("Set the ridge of the least held-out loss"));
    row->addWidget(m_condition);
    row->addWidget(m_least);
    row->addWidget(m_take);
    row->addStretch(1);
    column->addLayout(row);
    m_chart->setObjectName(QStringLiteral("ridgeChart"));
    m_chart->setAccessibleName(tr("Calibration and held-out loss against the ridge"));
    m_chart->setMinimumSize(240, 140);
    column->addWidget(m_chart, 1);
    connect(m_take, &QPushButton::clicked, this, [this] {
        if (const auto* least = m_sweep ? leastHeldOut(*m_sweep) : nullptr)
            emit ridgeChosen(least->ridge);
    });
    onChartExport(m_chart, this, [this](Figure& figure, FigureFormat format) { emit exportRequested(&figure, format, QStringLiteral("ridge")); });
    setSweep(nullptr);
}

void RidgeMeter::setEmptyText(const QString& text) { m_chart->setEmptyText(text); }
void RidgeMeter::setStale(bool stale) { m_chart->setStale(stale); }

void RidgeMeter::setSweep(std::shared_ptr<const RidgeSweep> sweep)
{
    m_sweep = std::move(sweep);
    const auto* least = m_sweep ? leastHeldOut(*m_sweep) : nullptr;
    std::vector<report::Series> series;
    double without = kUnmeasured, with = kUnmeasured;
    if (m_sweep && !m_sweep->points.empty()) {
        report::Series loss{.name = tr("calibration").toStdString(), .group = 0}, heldOut{.name = tr("held-out").toStdString(), .dashed = true, .group = 0};
        report::Series condition{.name = tr("condition of the gram").toStdString(), .secondary = true, .group = 1};
        report::Series none{.name = tr("held-out without a ridge").toStdString(), .baseline = true};
        const double low = m_sweep->points.front().ridge > 0 ? m_sweep->points.front().ridge : m_sweep->points.size() > 1 ? m_sweep->points[1].ridge : 0;
        for (const auto& point : m_sweep->points) {
            if (point.ridge == m_sweep->present)
                with = point.condition;
            if (point.ridge == 0) { // has no place on a logarithmic axis: a line across
                without = point.condition;
                if (std::isfinite(point.heldOut))
                    none.points = {{low, point.heldOut}, {m_sweep->points.back().ridge, point.heldOut}};
                continue;
            }
            if (std::isfinite(point.loss))
                loss.points.push_back({point.ridge, point.loss});
            if (std::isfinite(point.heldOut))
                heldOut.points.push_back({point.ridge, point.heldOut});
            if (std::isfinite(point.condition))
                condition.points.push_back({point.ridge, std::log10(point.condition)});
        }
        for (auto* one : {&loss, &heldOut, &none, &condition})
            if (!one->points.empty())
                series.push_back(std::move(*one));
    }
    m_chart->setAxes({.xTitle = tr("ridge (× mean diagonal of the gram)"), .yTitle = tr("relative loss"), .rightTitle = tr("log10 condition"), .logX = true, .wholeX = false});
    m_chart->setSeries(series);
    m_chart->setCaption(m_sweep ? tr("%1 under %2").arg(m_sweep->matrix, m_sweep->method) : QString());
    if (least && least->ridge > 0)
        m_chart->setCursor(least->ridge, tr("least held-out loss"));
    else
        m_chart->setCursor({});
    m_condition->setVisible(!series.empty() && !std::isnan(without));
    m_condition->setText(std::isnan(with) || m_sweep->present == 0 ? tr("condition of the gram: %1").arg(formatNumber(without, 3))
                                                                    : tr("condition of the gram: %1, with the ridge %2").arg(formatNumber(without, 3), formatNumber(with, 3)));
    m_least->setVisible(least != nullptr);
    m_take->setVisible(least && least->ridge != m_sweep->present);
    if (!least)
        return;
    m_least->setText(tr("least held-out loss %1 at ridge %2").arg(formatLoss(least->heldOut), formatNumber(least->ridge, 2)));
    m_take->setText(tr("Take %1").arg(formatNumber(least->ridge, 2)));
}

} // namespace tamis::views
