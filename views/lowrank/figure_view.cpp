// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/lowrank/figure_view.h"

#include "views/common/chart_figure.h"
#include "views/common/line_chart.h"
#include "views/common/theme.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QSignalBlocker>
#include <QVBoxLayout>

#include <algorithm>
#include <cmath>
#include <map>

namespace tamis::views {
namespace {
QString text(const std::string& s) { return QString::fromStdString(s); }

/// Whether x counts (ranks, iterations): hover stands on whole numbers.
bool isWhole(const report::MethodFigure& figure)
{
    for (const auto& series : figure.series)
        for (const auto& point : series.points)
            if (point.x != std::floor(point.x))
                return false;
    return true;
}
} // namespace

FigureView::FigureView(QWidget* parent) : QWidget(parent), m_choice(new QComboBox(this)), m_title(new QLabel(tr("&Chart"), this)), m_chart(new LineChart(this))
{
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, Theme::kSpacing / 2, 0, 0);
    column->setSpacing(0);
    m_choice->setObjectName(QStringLiteral("figureChoice"));
    m_choice->setAccessibleName(tr("Chart"));
    m_choice->setSizeAdjustPolicy(QComboBox::AdjustToContents);
    m_title->setBuddy(m_choice);
    auto* row = new QHBoxLayout;
    row->addWidget(m_title);
    row->addWidget(m_choice);
    row->addStretch(1);
    column->addLayout(row);
    m_chart->setObjectName(QStringLiteral("methodFigure"));
    m_chart->setMinimumSize(240, 140);
    column->addWidget(m_chart, 1);
    connect(m_choice, &QComboBox::currentIndexChanged, this, [this] {
        showChosen();
        emit figureChosen(figure());
    });
    onChartExport(m_chart, this, [this](Figure& shown, FigureFormat format) {
        emit exportRequested(&shown, format, figure().isEmpty() ? QStringLiteral("figure") : figure());
    });
    setFigures({}, {});
}

void FigureView::setFigures(std::vector<report::MethodFigure> figures, const QString& caption)
{
    const QString before = figure();
    m_figures = std::move(figures);
    m_chart->setCaption(caption);
    {
        const QSignalBlocker quiet(m_choice);
        QStringList titles, shown;
        for (const auto& one : m_figures)
            titles << text(one.title);
        for (int at = 0; at < m_choice->count(); ++at)
            shown << m_choice->itemText(at);
        if (titles != shown) { // the list that is open stays open while its charts change
            m_choice->clear();
            m_choice->addItems(titles);
        }
        for (std::size_t at = 0; at < m_figures.size(); ++at)
            m_choice->setItemData(static_cast<int>(at), text(m_figures[at].id));
        m_choice->setCurrentIndex(std::max(m_figures.empty() ? -1 : 0, m_choice->findData(before)));
    }
    m_choice->setVisible(!m_figures.empty());
    m_title->setVisible(!m_figures.empty());
    showChosen();
}

QString FigureView::figure() const { return m_choice->currentData().toString(); }

void FigureView::showFigure(const QString& id)
{
    const QSignalBlocker quiet(m_choice);
    if (const int at = m_choice->findData(id); at >= 0)
        m_choice->setCurrentIndex(at);
    showChosen();
}

void FigureView::showChosen()
{
    const int at = m_choice->currentIndex();
    if (at < 0 || at >= static_cast<int>(m_figures.size())) {
        m_chart->setSeries({});
        return;
    }
    const auto& figure = m_figures[static_cast<std::size_t>(at)];
    m_chart->setAccessibleName(text(figure.title));
    m_chart->setAxes({.xTitle = text(figure.xTitle), .yTitle = text(figure.yTitle), .logX = figure.logX, .logY = figure.logY, .wholeX = isWhole(figure)});
    m_chart->setSeries(figure.series);
}

void FigureView::setEmptyText(const QString& words) { m_chart->setEmptyText(words); }
void FigureView::setCursor(std::optional<double> x, const QString& label) { m_chart->setCursor(x, label); }
void FigureView::setStale(bool stale) { m_chart->setStale(stale); }

std::vector<report::MethodFigure> planeFigures(const report::LowRankReport& report)
{
    std::map<int, report::MethodFigure> byLayer;
    for (const auto& plane : report.planes) {
        auto& figure = byLayer[plane.layer];
        const std::string layer = std::to_string(plane.layer);
        figure.id = "planes-" + layer;
        figure.title = plane.layer < 0 ? QObject::tr("Planes outside the blocks").toStdString() : QObject::tr("Planes of block %1").arg(plane.layer).toStdString();
        figure.xTitle = QObject::tr("direction").toStdString();
        figure.yTitle = QObject::tr("energy over the largest").toStdString();
        figure.logY = true;
        report::Series series;
        series.name = QObject::tr("%1, %2 of %3 kept").arg(text(plane.plane)).arg(plane.rank).arg(plane.energy.size()).toStdString();
        const double largest = plane.energy.empty() ? 0 : plane.energy.front();
        for (std::size_t i = 0; i < plane.energy.size(); ++i)
            series.points.push_back({static_cast<double>(i + 1), largest > 0 ? plane.energy[i] / largest : 0});
        figure.series.push_back(std::move(series));
    }
    std::vector<report::MethodFigure> figures;
    for (auto& [layer, figure] : byLayer)
        figures.push_back(std::move(figure));
    return figures;
}

} // namespace tamis::views
