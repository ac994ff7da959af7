// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/common/chart_canvas.h"

#include "views/common/nice_step.h"
#include "views/common/number_format.h"
#include "views/common/theme.h"

#include <QChart>
#include <QKeyEvent>
#include <QGraphicsLayout>
#include <QLegendMarker>
#include <QLineSeries>
#include <QLogValueAxis>
#include <QMouseEvent>
#include <QValueAxis>

#include <algorithm>
#include <cmath>
#include <set>

namespace tamis::views {
namespace {
constexpr double kCursorReach = 8;   ///< pixels around the cursor that take hold of it
constexpr double kMostDecades = 12;  ///< of a logarithmic axis: below is rounding noise
constexpr int kBadgeDelayMs = 150;
constexpr int kLegendHeight = 170;    ///< pixels; below the few series have the room, and hovering names them
constexpr std::size_t kFewSeries = 2;
constexpr int kLegendRows = 3;        ///< at most; more would leave the curves no room
constexpr int kLegendMarker = 27;     ///< pixels of a name's line and of the gaps around it
constexpr int kLegendGap = 8;
constexpr double kTickPixels = 70;   ///< about this far apart on a linear axis
constexpr double kLabelPixels = 20;  ///< at least so far apart on a logarithmic one
constexpr int kTitleHeight = 118;    ///< pixels; below, Qt would cut the horizontal axis' numbers to give its title room

double forward(double v, bool logarithmic) { return logarithmic ? std::log10(std::max(v, 1e-300)) : v; }
double backward(double v, bool logarithmic) { return logarithmic ? std::pow(10.0, v) : v; }

/// Round steps on a linear axis; on a logarithmic one powers of ten, or of a smaller base where the range is short.
void placeTicks(QAbstractAxis* axis, double low, double high, double pixels, bool whole)
{
    if (auto* linear = qobject_cast<QValueAxis*>(axis)) {
        linear->setTickType(QValueAxis::TicksDynamic);
        linear->setTickAnchor(0);
        const double step = niceStep(high - low, std::clamp(static_cast<int>(pixels / kTickPixels), 2, 8));
        linear->setTickInterval(!whole ? step : step <= 1 ? 1 : step == 2.5 ? 5 : step);
    } else if (auto* logarithmic = qobject_cast<QLogValueAxis*>(axis)) {
        const double decades = std::log10(high / low);
        const double apart = std::clamp(std::ceil(decades * kLabelPixels / std::max(pixels, 1.0)), 1.0, std::max(1.0, std::ceil(decades))); // Qt cuts numbers that have less
        logarithmic->setMinorTickCount(apart > 1 ? 0 : -1);
        logarithmic->setBase(decades >= 1.5 ? std::pow(10, apart) : decades >= 0.6 ? 2 : std::pow(10, std::max(decades, 1e-6) / 4));
        logarithmic->setLabelFormat(decades >= 0.6 ? QStringLiteral("%g") : QStringLiteral("%.3g"));
    }
    axis->setRange(low, high);
}
} // namespace

ChartCanvas::ChartCanvas(QWidget* parent) : QChartView(parent)
{
    setChart(new QChart);
    chart()->setMargins(QMargins(4, 0, 4, 0));
    chart()->layout();
    chart()->legend()->setAlignment(Qt::AlignTop);
    chart()->legend()->setMarkerShape(QLegend::MarkerShapeFromSeries);
    chart()->setAnimationOptions(QChart::NoAnimation);
    setRenderHint(QPainter::Antialiasing);
    setFrameShape(QFrame::NoFrame);
    setMouseTracking(true);
    setFocusPolicy(Qt::StrongFocus);
    setMinimumSize(220, 110);
    setAccessibleName(tr("Chart"));
    setAccessibleDescription(tr("Left and Right move the rank cursor, 0 shows everything"));
    setViewportUpdateMode(QGraphicsView::FullViewportUpdate);
    m_badgeTimer.setSingleShot(true);
    m_badgeTimer.setInterval(kBadgeDelayMs);
    connect(&m_badgeTimer, &QTimer::timeout, this, [this] {
        m_badge = m_stale;
        viewport()->update();
    });
    connect(&Theme::instance(), &Theme::changed, this, &ChartCanvas::restyle);
    rebuildAxes();
    restyle();
}

void ChartCanvas::setSeries(const std::vector<report::Series>& series)
{
    m_series = series;
    while (m_lines.size() < series.size()) {
        auto* line = new QLineSeries;
        chart()->addSeries(line);
        m_lines.push_back(line);
        for (auto* marker : chart()->legend()->markers(line))
            connect(marker, &QLegendMarker::clicked, this, [this, line, marker] {
                line->setVisible(!line->isVisible());
                marker->setVisible(true);
                QBrush label = marker->labelBrush();
                label.setColor(Theme::instance().color(line->isVisible() ? Ink::Text : Ink::Baseline));
                marker->setLabelBrush(label);
                viewport()->update();
            });
    }
    while (m_lines.size() > series.size()) {
        chart()->removeSeries(m_lines.back());
        delete m_lines.back();
        m_lines.pop_back();
    }
    const bool needsRight = std::any_of(series.begin(), series.end(), [](const auto& s) { return s.secondary; });
    if (needsRight != (m_right != nullptr)) {
        rebuildAxes();
        restyle();
    }
    fill();
    stylePens();
    viewport()->update();
}

void ChartCanvas::fill()
{
    bool renamed = false;
    for (std::size_t i = 0; i < m_series.size(); ++i) {
        QList<QPointF> points;
        points.reserve(static_cast<qsizetype>(m_series[i].points.size()));
        for (const auto& p : m_series[i].points)
            if ((!m_axes.logX || p.x > 0) && (!m_axes.logY || m_series[i].secondary || p.y > 0))
                points.append({p.x, p.y});
        m_lines[i]->replace(points);
        const QString name = QString::fromStdString(m_series[i].name);
        renamed = renamed || m_lines[i]->name() != name;
        m_lines[i]->setName(name);
        const QList<QAbstractAxis*> wanted{m_x, m_series[i].secondary && m_right ? m_right : m_y};
        if (m_lines[i]->attachedAxes() != wanted) {
            for (auto* axis : m_lines[i]->attachedAxes())
                m_lines[i]->detachAxis(axis);
            for (auto* axis : wanted)
                m_lines[i]->attachAxis(axis);
        }
    }
    if (renamed && chart()->legend()->layout())
        chart()->legend()->layout()->invalidate(); // else it shows the names of before until it is resized
    if (!m_zoomed) {
        m_xRange = fullRange(true, false);
        m_yRange = fullRange(false, false);
    }
    if (m_right)
        m_rightRange = fullRange(false, true);
    applyRanges();
}

void ChartCanvas::setAxes(const ChartAxes& axes)
{
    const bool scaleChanged = axes.logX != m_axes.logX || axes.logY != m_axes.logY;
    m_axes = axes;
    if (scaleChanged) {
        m_zoomed = false;
        emit zoomChanged(false);
    }
    rebuildAxes();
    fill();
    restyle();
}

void ChartCanvas::rebuildAxes()
{
    for (auto* axis : {m_x, m_y, m_right})
        if (axis) {
            chart()->removeAxis(axis);
            delete axis;
        }
    const auto make = [](bool logarithmic) -> QAbstractAxis* {
        if (logarithmic) {
            auto* axis = new QLogValueAxis;
            axis->setBase(10);
            axis->setLabelFormat(QStringLiteral("%g"));
            axis->setMinorTickCount(-1);
            return axis;
        }
        auto* axis = new QValueAxis;
        axis->setTickCount(6);
        axis->setLabelFormat(QStringLiteral("%g"));
        return axis;
    };
    m_x = make(m_axes.logX);
    m_y = make(m_axes.logY);
    chart()->addAxis(m_x, Qt::AlignBottom);
    chart()->addAxis(m_y, Qt::AlignLeft);
    m_right = nullptr;
    if (std::any_of(m_series.begin(), m_series.end(), [](const auto& s) { return s.secondary; })) {
        m_right = make(false);
        m_right->setGridLineVisible(false);
        m_right->setTitleText(m_axes.rightTitle);
        chart()->addAxis(m_right, Qt::AlignRight);
    }
    m_x->setTitleText(m_axes.xTitle);
    m_y->setTitleText(m_axes.yTitle);
}

void ChartCanvas::restyle()
{
    const auto& theme = Theme::instance();
    setBackgroundBrush(theme.color(Ink::Panel));
    chart()->setBackgroundBrush(theme.color(Ink::Panel));
    chart()->setBackgroundRoundness(0);
    chart()->legend()->setLabelColor(theme.color(Ink::Text));
    chart()->legend()->setFont(Theme::smallFont(font()));
    for (auto* axis : {m_x, m_y, m_right}) {
        if (!axis)
            continue;
        axis->setLabelsBrush(theme.color(Ink::MutedText));
        axis->setTitleBrush(theme.color(Ink::Text));
        axis->setLabelsFont(Theme::smallFont(font()));
        axis->setTitleFont(Theme::smallFont(font()));
        axis->setGridLinePen(QPen(theme.color(Ink::Grid), 1));
        axis->setMinorGridLineVisible(false);
        axis->setLinePen(QPen(theme.color(Ink::Border), 1));
    }
    stylePens();
    viewport()->update();
}

void ChartCanvas::showLegend()
{
    const bool shown = !m_series.empty() && (m_exporting || height() >= kLegendHeight || m_series.size() > kFewSeries);
    QLegend* legend = chart()->legend();
    QString wanted = QStringLiteral("%1 %2").arg(shown).arg(width());
    for (const auto& series : m_series)
        wanted += u'\n' + QString::fromStdString(series.name);
    if (m_legendOf == wanted && legend->isVisible() == shown)
        return; // laying texts out takes longer than drawing curves
    m_legendOf = wanted;
    const int rows = shown ? legendRows() : 0;
    legend->setVisible(shown);
    const int line = QFontMetrics(legend->font()).height() + kLegendGap;
    if (rows > 1) { // Qt cuts names that one row does not hold; where it is told the place it breaks rows
        legend->detachFromChart();
        legend->setGeometry(QRectF(chart()->rect().left() + 4, 0, width() - 8, rows * line + kLegendGap));
    } else if (!legend->isAttachedToChart()) {
        legend->attachToChart();
    }
    chart()->setMargins(QMargins(4, rows > 1 ? rows * line - kLegendGap : 0, 4, 0));
    chart()->layout()->activate();
}

/// That its names need, as wide as the chart is.
int ChartCanvas::legendRows() const
{
    const QFontMetrics metrics(chart()->legend()->font());
    const int room = width() - kLegendMarker;
    int rows = 1, used = 0;
    for (const auto& series : m_series) {
        const int wide = metrics.horizontalAdvance(QString::fromStdString(series.name)) + kLegendMarker;
        if (used > 0 && used + wide > room) {
            ++rows;
            used = 0;
        }
        used += wide;
    }
    return std::min(rows, kLegendRows);
}

void ChartCanvas::stylePens()
{
    const auto& theme = Theme::instance();
    showLegend();
    for (std::size_t i = 0; i < m_lines.size(); ++i) {
        const int color = m_series[i].group >= 0 ? m_series[i].group : static_cast<int>(i);
        const auto& series = m_series[i];
        QPen pen(series.baseline ? theme.color(Ink::Baseline) : theme.seriesColor(color), series.dashed ? 1.4 : 2.0);
        pen.setStyle(series.baseline ? Qt::DotLine : series.dashed ? Qt::DashLine : Qt::SolidLine);
        pen.setJoinStyle(Qt::RoundJoin);
        m_lines[i]->setPen(pen); // not cosmetic: lines keep their weight at 200 %
    }
}

ChartCanvas::Range ChartCanvas::fullRange(bool horizontal, bool secondary) const
{
    const bool logarithmic = horizontal ? m_axes.logX : m_axes.logY && !secondary;
    double low = INFINITY, high = -INFINITY;
    for (const auto& series : m_series) {
        if (!horizontal && series.secondary != secondary)
            continue;
        for (const auto& p : series.points) {
            const double v = horizontal ? p.x : p.y;
            if (!std::isfinite(v) || (logarithmic && v <= 0))
                continue;
            low = std::min(low, v);
            high = std::max(high, v);
        }
    }
    if (!(low <= high))
        return {logarithmic ? 0.1 : 0.0, 1.0};
    if (logarithmic) {
        low = std::max(low, high * std::pow(10, -kMostDecades));
        if (horizontal)
            return {low, std::max(high, low * 1.01)};
        low = std::pow(10, std::floor(std::log10(low) + 1e-9));
        high = std::pow(10, std::ceil(std::log10(high) - 1e-9));
        return {low, high > low ? high : low * 10};
    }
    if (!horizontal && m_axes.zeroBased) {
        low = std::min(low, 0.0);
        high = std::max(high, 0.0);
        if (high == low)
            return {0, 1};
        return {low, high + 0.04 * (high - low)};
    }
    if (high == low)
        return {low - 0.5, high + 0.5};
    if (horizontal)
        return {low, high};
    if (low >= 0 && low < 0.3 * high)
        low = 0;
    return {low, high + 0.04 * (high - low)};
}

void ChartCanvas::applyRanges()
{
    const double across = width() - 120, down = height() - 110; // about the plot area, known before it is laid out
    // The ends of a logarithmic axis are widened by less than a pixel: Qt Charts computes ln(0.01) / ln(10) a little above
    // -2 and would leave the last decade without its label.
    const auto place = [this](QAbstractAxis* axis, const Range& range, bool logarithmic, double pixels) {
        const double slack = logarithmic ? 1e-9 : 0;
        placeTicks(axis, range.low * (1 - slack), range.high * (1 + slack), pixels, axis == m_x && m_axes.wholeX);
    };
    place(m_x, m_xRange, m_axes.logX, across);
    place(m_y, m_yRange, m_axes.logY, down * 1.4);
    if (m_right)
        place(m_right, m_rightRange, false, down * 1.4);
    viewport()->update();
}

void ChartCanvas::setCursorLine(std::optional<double> x, const QString& label)
{
    if (m_drag == Drag::Cursor)
        return; // the hand on it decides
    m_cursor = x;
    m_cursorLabel = label;
    viewport()->update();
}

void ChartCanvas::setEmptyText(const QString& text)
{
    m_emptyText = text;
    viewport()->update();
}

void ChartCanvas::setStale(bool stale)
{
    if (stale == m_stale)
        return;
    m_stale = stale;
    if (stale)
        m_badgeTimer.start();
    else {
        m_badgeTimer.stop();
        m_badge = false;
    }
    viewport()->update();
}

void ChartCanvas::resetZoom()
{
    m_zoomed = false;
    m_xRange = fullRange(true, false);
    m_yRange = fullRange(false, false);
    applyRanges();
    emit zoomChanged(false);
}

QRectF ChartCanvas::plotArea() const { return chart()->plotArea(); }
int ChartCanvas::seriesObjects() const { return static_cast<int>(chart()->series().size()); }

QPointF ChartCanvas::toPixel(double x, double y, bool secondary) const
{
    const QRectF area = plotArea();
    const bool logY = m_axes.logY && !secondary;
    const Range& vertical = secondary ? m_rightRange : m_yRange;
    const double xl = forward(m_xRange.low, m_axes.logX), xh = forward(m_xRange.high, m_axes.logX);
    const double yl = forward(vertical.low, logY), yh = forward(vertical.high, logY);
    return {area.left() + (forward(x, m_axes.logX) - xl) / (xh - xl) * area.width(),
            area.bottom() - (forward(y, logY) - yl) / (yh - yl) * area.height()};
}

double ChartCanvas::fromPixelX(double px) const
{
    const QRectF area = plotArea();
    const double low = forward(m_xRange.low, m_axes.logX), high = forward(m_xRange.high, m_axes.logX);
    return backward(low + (px - area.left()) / area.width() * (high - low), m_axes.logX);
}

double ChartCanvas::fromPixelY(double py) const
{
    const QRectF area = plotArea();
    const double low = forward(m_yRange.low, m_axes.logY), high = forward(m_yRange.high, m_axes.logY);
    return backward(low + (area.bottom() - py) / area.height() * (high - low), m_axes.logY);
}

bool ChartCanvas::nearCursor(const QPointF& position) const
{
    if (!m_cursor || !plotArea().adjusted(-kCursorReach, -20, kCursorReach, 0).contains(position))
        return false;
    return std::abs(toPixel(*m_cursor, m_yRange.low).x() - position.x()) <= kCursorReach;
}

void ChartCanvas::moveCursor(double x, bool finished)
{
    x = std::clamp(x, m_xRange.low, m_xRange.high);
    if (m_axes.wholeX)
        x = std::clamp(std::round(x), std::ceil(m_xRange.low), std::floor(m_xRange.high));
    if (!finished && m_cursor && *m_cursor == x)
        return;
    m_cursor = x;
    m_cursorLabel = formatNumber(x, 6);
    viewport()->update();
    emit cursorMoved(x, finished);
}

void ChartCanvas::mousePressEvent(QMouseEvent* event)
{
    m_dragStart = event->position();
    const bool pan = event->button() == Qt::MiddleButton ||
                     (event->button() == Qt::LeftButton && event->modifiers().testFlag(Qt::ShiftModifier));
    if (pan) {
        m_drag = Drag::Pan;
        m_panX = m_xRange;
        m_panY = m_yRange;
        return;
    }
    if (event->button() == Qt::LeftButton && nearCursor(event->position())) {
        m_drag = Drag::Cursor;
        return;
    }
    if (event->button() == Qt::LeftButton && plotArea().contains(event->position()) && !m_series.empty()) {
        m_drag = Drag::Band;
        return;
    }
    QChartView::mousePressEvent(event);
}

void ChartCanvas::mouseMoveEvent(QMouseEvent* event)
{
    m_pointer = event->position();
    m_pointerInside = plotArea().contains(m_pointer);
    if (m_drag == Drag::Cursor)
        moveCursor(fromPixelX(m_pointer.x()), false);
    else if (m_drag == Drag::Pan) {
        const auto shifted = [](const Range& from, bool logarithmic, double fraction) {
            const double low = forward(from.low, logarithmic), high = forward(from.high, logarithmic);
            const double by = fraction * (high - low);
            return Range{backward(low + by, logarithmic), backward(high + by, logarithmic)};
        };
        const QPointF by = m_pointer - m_dragStart;
        m_zoomed = true;
        m_xRange = shifted(m_panX, m_axes.logX, -by.x() / plotArea().width());
        m_yRange = shifted(m_panY, m_axes.logY, by.y() / plotArea().height());
        applyRanges();
        emit zoomChanged(true);
    }
    viewport()->setCursor(m_drag == Drag::Cursor || nearCursor(m_pointer) ? Qt::SizeHorCursor : Qt::ArrowCursor);
    viewport()->update();
    if (m_drag == Drag::None)
        QChartView::mouseMoveEvent(event);
}

void ChartCanvas::mouseReleaseEvent(QMouseEvent* event)
{
    const Drag drag = m_drag;
    m_drag = Drag::None;
    if (drag == Drag::Cursor)
        moveCursor(fromPixelX(event->position().x()), true);
    else if (drag == Drag::Band) {
        const QRectF band = QRectF(m_dragStart, event->position()).normalized();
        if (band.width() > 6 && band.height() > 6)
            zoomTo(band.intersected(plotArea()));
        viewport()->update();
    } else if (drag == Drag::None)
        QChartView::mouseReleaseEvent(event);
}

void ChartCanvas::zoomTo(const QRectF& pixels)
{
    const Range x{fromPixelX(pixels.left()), fromPixelX(pixels.right())};
    const Range y{fromPixelY(pixels.bottom()), fromPixelY(pixels.top())};
    if (!(x.low < x.high) || !(y.low < y.high))
        return;
    m_xRange = x;
    m_yRange = y;
    m_zoomed = true;
    applyRanges();
    emit zoomChanged(true);
}

void ChartCanvas::mouseDoubleClickEvent(QMouseEvent*) { resetZoom(); }

void ChartCanvas::wheelEvent(QWheelEvent* event)
{
    const QRectF area = plotArea();
    if (!area.contains(event->position()) || event->angleDelta().y() == 0)
        return;
    const double factor = std::pow(0.8, event->angleDelta().y() / 120.0);
    const QPointF p = event->position();
    zoomTo(QRectF(QPointF(p.x() - (p.x() - area.left()) * factor, p.y() - (p.y() - area.top()) * factor),
                  QPointF(p.x() + (area.right() - p.x()) * factor, p.y() + (area.bottom() - p.y()) * factor)));
    event->accept();
}

void ChartCanvas::keyPressEvent(QKeyEvent* event)
{
    const double step = event->modifiers().testFlag(Qt::ShiftModifier) ? 10 : 1;
    if (event->key() == Qt::Key_0)
        resetZoom();
    else if (m_cursor && event->key() == Qt::Key_Left)
        moveCursor(*m_cursor - step, true);
    else if (m_cursor && event->key() == Qt::Key_Right)
        moveCursor(*m_cursor + step, true);
    else
        QChartView::keyPressEvent(event);
}

void ChartCanvas::resizeEvent(QResizeEvent* event)
{
    QChartView::resizeEvent(event);
    m_x->setTitleVisible(height() >= kTitleHeight);
    showLegend();
    applyRanges(); // as many ticks as there is room for
}

void ChartCanvas::leaveEvent(QEvent* event)
{
    m_pointerInside = false;
    viewport()->update();
    QChartView::leaveEvent(event);
}

} // namespace tamis::views
