// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/lowrank/trade_off_chart.h"

#include "views/common/figure_export.h"
#include "views/common/number_format.h"
#include "views/common/theme.h"

#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
constexpr double kReach = 10;             ///< pixels from a point within which it is meant
constexpr double kLogarithmicSpan = 20;   ///< largest over least value from which the axis is logarithmic
constexpr double kMostLegendShare = 0.34; ///< of the width

QString exact(double value) { return std::isfinite(value) ? QString::number(value, 'g', 12) : QString(); }
} // namespace

TradeOffChart::TradeOffChart(QWidget* parent) : QWidget(parent), m_emptyText(tr("Compare methods to see what they trade."))
{
    setMouseTracking(true);
    setFocusPolicy(Qt::StrongFocus);
    setObjectName(QStringLiteral("tradeOffChart"));
    setAccessibleName(tr("Configurations, cost against quality"));
    connect(&Theme::instance(), &Theme::changed, this, qOverload<>(&QWidget::update));
}

void TradeOffChart::setComparison(std::shared_ptr<const report::MethodComparison> comparison)
{
    m_comparison = std::move(comparison);
    rebuild();
}

void TradeOffChart::setUnit(CostUnit unit)
{
    m_unit = unit;
    rebuild();
}

void TradeOffChart::setMeasure(ComparisonMeasure measure)
{
    m_measure = measure;
    rebuild();
}

void TradeOffChart::setEmptyText(const QString& text)
{
    m_emptyText = text;
    update();
}

void TradeOffChart::setSelectedRows(const QList<int>& rows)
{
    m_selected = rows;
    update();
}

void TradeOffChart::rebuild()
{
    m_points.clear();
    m_front.clear();
    m_colors.clear();
    m_hovered = -1;
    if (m_comparison) {
        m_front = frontOf(*m_comparison, m_unit, m_measure);
        m_colors = colorsOf(*m_comparison);
        for (int at = 0; at < static_cast<int>(m_comparison->rows.size()); ++at) {
            const Point point{at, costOf(row(at), m_unit), measured(row(at), m_measure).mean};
            if (std::isfinite(point.cost) && std::isfinite(point.value))
                m_points.push_back(point);
        }
        std::stable_sort(m_points.begin(), m_points.end(), [](const Point& a, const Point& b) { return a.cost < b.cost; });
    }
    update();
}

int TradeOffChart::shownPoints() const { return static_cast<int>(m_points.size()); }

bool TradeOffChart::isLogarithmic() const
{
    // Zero (what the dense model loses) has no place on a logarithmic axis: it is drawn at the foot.
    double low = INFINITY, high = 0;
    for (const Point& point : m_points) {
        if (point.value < 0)
            return false;
        if (point.value > 0)
            low = std::min(low, point.value);
        high = std::max(high, point.value);
    }
    return lowerIsBetter(m_measure) && high > kLogarithmicSpan * low;
}

QColor TradeOffChart::colorOf(int row) const
{
    const int color = m_colors[static_cast<std::size_t>(row)];
    return color < 0 ? Theme::instance().color(Ink::Baseline) : Theme::instance().seriesColor(color);
}

QPointF TradeOffChart::toPixel(int row) const
{
    const auto found = std::find_if(m_points.begin(), m_points.end(), [row](const Point& p) { return p.row == row; });
    return found == m_points.end() ? QPointF(-1, -1) : place(frame(), *found);
}

int TradeOffChart::pointAt(const QPointF& position) const
{
    const Frame f = frame();
    int best = -1;
    double nearest = kReach;
    for (std::size_t i = 0; i < m_points.size(); ++i) {
        const QPointF d = place(f, m_points[i]) - position;
        if (const double distance = std::hypot(d.x(), d.y()); distance < nearest) {
            nearest = distance;
            best = static_cast<int>(i);
        }
    }
    return best;
}

QStringList TradeOffChart::hoverLines() const
{
    const int at = m_hovered >= 0 ? m_hovered : hasFocus() && m_selected.size() == 1 ? m_selected.first() : -1;
    if (at < 0 || !m_comparison || at >= static_cast<int>(m_comparison->rows.size()))
        return {};
    QStringList lines{rowTitle(row(at)), formatCost(m_unit, costOf(row(at), m_unit)) + QStringLiteral(" · ") + measureTitle(m_measure) + QLatin1Char(' ') +
                                             formatMeasured(m_measure, measured(row(at), m_measure))};
    if (!row(at).settings.empty())
        lines << QString::fromStdString(row(at).settings);
    return lines;
}

QString TradeOffChart::figureCsv() const
{
    QStringList head{tr("method"), tr("keep"), tr("parameters"), tr("bytes"), tr("MACs"), tr("latency (ms)")};
    for (const auto measure : kComparisonMeasures)
        head << measureTitle(measure);
    head << tr("settings");
    const auto line = [](const QStringList& cells) {
        QStringList quoted;
        for (const auto& cell : cells)
            quoted << csvField(cell);
        return quoted.join(QLatin1Char(',')) + QLatin1Char('\n');
    };
    QString text = line(head);
    for (int at = 0; m_comparison && at < static_cast<int>(m_comparison->rows.size()); ++at) {
        const auto& of = row(at);
        QStringList cells{QString::fromStdString(of.label), exact(of.keep)};
        for (const CostUnit unit : {CostUnit::Parameters, CostUnit::Bytes, CostUnit::Macs, CostUnit::Latency})
            cells << exact(costOf(of, unit));
        for (const auto measure : kComparisonMeasures)
            cells << exact(measured(of, measure).mean);
        text += line(cells << QString::fromStdString(of.settings));
    }
    return text;
}

QString TradeOffChart::figureCaption() const { return m_comparison ? comparisonCaption(*m_comparison) : QString(); }

void TradeOffChart::paintEvent(QPaintEvent*)
{
    QPainter painter(this);
    draw(painter, true);
}

void TradeOffChart::paintFigure(QPainter& painter) const { draw(painter, false); }

void TradeOffChart::mouseMoveEvent(QMouseEvent* event)
{
    const int at = pointAt(event->position());
    const int row = at < 0 ? -1 : m_points[static_cast<std::size_t>(at)].row;
    if (row != m_hovered) {
        m_hovered = row;
        setCursor(row >= 0 ? Qt::PointingHandCursor : Qt::ArrowCursor);
        update();
    }
}

void TradeOffChart::mousePressEvent(QMouseEvent* event)
{
    if (event->button() != Qt::LeftButton)
        return;
    const int at = pointAt(event->position());
    const int row = at < 0 ? -1 : m_points[static_cast<std::size_t>(at)].row;
    const bool joins = event->modifiers().testFlag(Qt::ControlModifier);
    if (row < 0 && (joins || m_selected.isEmpty()))
        return;
    if (!joins)
        m_selected = row < 0 ? QList<int>() : QList<int>{row};
    else if (!m_selected.removeOne(row))
        m_selected << row;
    std::sort(m_selected.begin(), m_selected.end());
    update();
    emit rowsSelected(m_selected);
}

void TradeOffChart::keyPressEvent(QKeyEvent* event)
{
    const int count = shownPoints();
    const int step = event->key() == Qt::Key_Right ? 1 : event->key() == Qt::Key_Left ? -1 : 0;
    if (count == 0 || step == 0) {
        QWidget::keyPressEvent(event);
        return;
    }
    const int last = m_selected.isEmpty() ? -1 : m_selected.last();
    const auto found = std::find_if(m_points.begin(), m_points.end(), [last](const Point& p) { return p.row == last; });
    const int now = found == m_points.end() ? (step > 0 ? -1 : count) : static_cast<int>(found - m_points.begin());
    m_selected = {m_points[static_cast<std::size_t>((now + step + count) % count)].row};
    update();
    emit rowsSelected(m_selected);
}

void TradeOffChart::leaveEvent(QEvent*)
{
    m_hovered = -1;
    update();
}

void TradeOffChart::focusInEvent(QFocusEvent*) { update(); }
void TradeOffChart::focusOutEvent(QFocusEvent*) { update(); }

// Geometry and drawing -------------------------------------------------------------------------------------------------

TradeOffChart::Frame TradeOffChart::frame() const
{
    const QFontMetricsF metrics(Theme::smallFont(font()));
    Frame f;
    double legend = 0;
    if (m_comparison)
        for (std::size_t at = 0; at < m_comparison->rows.size(); ++at)
            if (m_colors[at] >= 0)
                legend = std::max(legend, metrics.horizontalAdvance(QString::fromStdString(m_comparison->rows[at].label)) + 24);
    legend = std::min(legend, kMostLegendShare * width());
    const double left = metrics.height() + metrics.horizontalAdvance(QStringLiteral("100.0 %")) + 14;
    f.area = QRectF(rect()).adjusted(left, 10, -legend - 16, -2 * metrics.height() - 14);
    f.legend = QRectF(f.area.right() + 12, f.area.top(), legend, f.area.height());
    if (m_points.empty())
        return f;
    f.logarithmic = isLogarithmic();
    double low = INFINITY, high = -INFINITY;
    for (const Point& point : m_points)
        if (!f.logarithmic || point.value > 0) {
            low = std::min(low, point.value);
            high = std::max(high, point.value);
        }
    if (f.logarithmic) {
        low = std::log10(low);
        high = std::log10(high);
    }
    const double pad = std::max(0.08 * (high - low), 1e-9 + 1e-3 * std::abs(high));
    f.yLow = low - pad;
    f.yHigh = high + pad;
    const double xPad = std::max(0.06 * (m_points.back().cost - m_points.front().cost), 0.01 * m_points.back().cost);
    f.xLow = std::max(0.0, m_points.front().cost - xPad);
    f.xHigh = m_points.back().cost + xPad;
    return f;
}

double TradeOffChart::place(const Frame& f, double value) const
{
    const double y = !f.logarithmic ? value : value > 0 ? std::log10(value) : f.yLow;
    return f.area.bottom() - (std::clamp(y, f.yLow, f.yHigh) - f.yLow) / (f.yHigh - f.yLow) * f.area.height();
}

QPointF TradeOffChart::place(const Frame& f, const Point& point) const
{
    return {f.area.left() + (point.cost - f.xLow) / (f.xHigh - f.xLow) * f.area.width(), place(f, point.value)};
}

} // namespace tamis::views
