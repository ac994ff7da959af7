// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/common/frontier_chart.h"

#include "views/common/binary_ticks.h"
#include "views/common/plot_paint.h"
#include "views/common/theme.h"

#include <QKeyEvent>
#include <QMouseEvent>

#include <algorithm>
#include <cmath>
#include <utility>

namespace tamis::views {
namespace {
constexpr double kReach = 10; ///< pixels from a point within which it is meant
} // namespace

std::vector<bool> frontiersOf(const std::vector<FrontierWorth>& worths)
{
    const auto beats = [](const FrontierWorth& a, const FrontierWorth& b) {
        return a.title == b.title && a.first >= b.first && a.second >= b.second && (a.first > b.first || a.second > b.second);
    };
    std::vector<bool> front;
    for (const FrontierWorth& each : worths)
        front.push_back(std::isfinite(each.first) && std::isfinite(each.second) &&
                        std::ranges::none_of(worths, [&](const FrontierWorth& other) { return beats(other, each); }));
    return front;
}

double FrontierAxis::share(double value) const
{
    const double drawn = !logarithmic ? value : value > 0 ? std::log10(value) : low;
    const double share = (drawn - low) / (high - low);
    return backwards ? 1 - share : share;
}

std::vector<double> FrontierAxis::ticks(int most) const
{
    auto values = bytes ? binaryTicks(logarithmic ? std::pow(10, low) : low, logarithmic ? std::pow(10, high) : high, most, logarithmic)
                        : logarithmic ? logTicks(std::pow(10, low), std::pow(10, high), most) : linearTicks(low, high, most);
    std::erase_if(values, [this](double value) { return value > lastTick; });
    return values;
}

QColor FrontierSeries::paint() const { return color < 0 ? Theme::instance().color(ink) : Theme::instance().seriesColor(color); }

FrontierChart::FrontierChart(const FrontierHabits& habits, const QString& emptyText, QWidget* parent) : QWidget(parent), m_habits(habits), m_emptyText(emptyText)
{
    setMouseTracking(true);
    setFocusPolicy(Qt::StrongFocus);
    connect(&Theme::instance(), &Theme::changed, this, qOverload<>(&QWidget::update));
}

void FrontierChart::setSeries(const std::vector<FrontierSeries>& series)
{
    m_series = series;
    update();
}

void FrontierChart::setAxes(const FrontierAxis& x, const FrontierAxis& y)
{
    m_x = x;
    m_y = y;
    update();
}

void FrontierChart::setPoints(const std::vector<FrontierPoint>& points, int count)
{
    m_points = points;
    std::erase_if(m_points, [](const FrontierPoint& each) { return !std::isfinite(each.x) || !std::isfinite(each.y); });
    std::ranges::stable_sort(m_points, {}, &FrontierPoint::x);
    m_hovered = -1;
    if (m_walked >= count)
        m_walked = -1;
    setAccessibleDescription(tr("%1 points").arg(m_points.size()));
    update();
}

void FrontierChart::setEmptyText(const QString& text)
{
    m_emptyText = text;
    update();
}

FrontierChart::Frame FrontierChart::frame() const
{
    const QFontMetricsF metrics(Theme::smallFont(font()));
    double legend = metrics.horizontalAdvance(m_habits.widestEntry);
    for (const FrontierSeries& each : m_series)
        legend = std::max(legend, metrics.horizontalAdvance(each.title));
    legend = std::min(legend + m_habits.legendRoom, 0.3 * width());
    const double left = metrics.height() + metrics.horizontalAdvance(m_habits.widestTick) + 16;
    const QRectF area = QRectF(rect()).adjusted(left, 12, -legend - 20, -2 * metrics.height() - 14);
    return {area, QRectF(area.right() + 14, area.top(), legend, area.height())};
}

QPointF FrontierChart::place(const QRectF& area, double x, double y) const
{
    return {area.left() + m_x.share(x) * area.width(), area.bottom() - m_y.share(y) * area.height()};
}

QPointF FrontierChart::toPixel(int index) const
{
    const auto found = std::ranges::find(m_points, index, &FrontierPoint::index);
    return found == m_points.end() ? QPointF(-1, -1) : place(plotArea(), found->x, found->y);
}

int FrontierChart::pointAt(const QPointF& position) const
{
    const QRectF area = plotArea();
    int best = -1;
    double nearest = kReach;
    for (const FrontierPoint& each : m_points) {
        const QPointF d = place(area, each.x, each.y) - position;
        if (const double distance = std::hypot(d.x(), d.y()); distance < nearest) {
            nearest = distance;
            best = each.index;
        }
    }
    return best;
}

QStringList FrontierChart::hoverLines() const
{
    const int index = m_hovered >= 0 ? m_hovered : hasFocus() ? m_walked : -1;
    return index < 0 ? QStringList() : linesOf(index);
}

void FrontierChart::mouseMoveEvent(QMouseEvent* event)
{
    const int at = pointAt(event->position());
    if (std::exchange(m_hovered, at) == at)
        return;
    if (m_habits.handOverPoints)
        setCursor(at >= 0 ? Qt::PointingHandCursor : Qt::ArrowCursor);
    update();
}

void FrontierChart::mousePressEvent(QMouseEvent* event)
{
    const int at = event->button() == Qt::LeftButton ? pointAt(event->position()) : -1;
    if (at < 0)
        return QWidget::mousePressEvent(event);
    m_walked = at;
    update();
    emit pointActivated(at);
}

void FrontierChart::keyPressEvent(QKeyEvent* event)
{
    const int step = event->key() == Qt::Key_Right ? 1 : event->key() == Qt::Key_Left ? -1 : 0;
    if (step != 0 && !m_points.empty())
        walk(step);
    else if ((event->key() == Qt::Key_Return || event->key() == Qt::Key_Enter) && m_walked >= 0)
        emit pointActivated(m_walked);
    else
        QWidget::keyPressEvent(event);
}

void FrontierChart::walk(int step)
{
    const int count = shownPoints();
    const auto found = std::ranges::find(m_points, m_walked, &FrontierPoint::index);
    int next = found != m_points.end() ? static_cast<int>(found - m_points.begin()) + step : step > 0 ? 0 : count - 1;
    next = m_habits.walkWraps ? (next + count) % count : std::clamp(next, 0, count - 1);
    m_walked = m_points[static_cast<std::size_t>(next)].index;
    m_hovered = -1;
    setAccessibleDescription(hoverLines().join(QStringLiteral(", ")));
    update();
}

void FrontierChart::leaveEvent(QEvent*)
{
    m_hovered = -1;
    update();
}

void FrontierChart::focusInEvent(QFocusEvent* event)
{
    QWidget::focusInEvent(event);
    update();
}

void FrontierChart::focusOutEvent(QFocusEvent* event)
{
    QWidget::focusOutEvent(event);
    update();
}

} // namespace tamis::views
