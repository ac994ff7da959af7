// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/common/chart_canvas.h"

#include "views/common/nice_step.h"
#include "views/common/number_format.h"
#include "views/common/theme.h"

#include <QChart>
#include <QKeyEvent>
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
constexpr double kTickPixels = 70;   ///< about this far apart on a linear axis

double forward(double v, bool logarithmic) { return logarithmic ? std::log10(std::max(v, 1e-300)) : v; }
double backward(double v, bool logarithmic) { return logarithmic ? std::pow(10.0, v) : v; }

/// Round steps on a linear axis; on a logarithmic one powers of ten, or of a smaller base where the range is short.
void placeTicks(QAbstractAxis* axis, double low, double high, double pixels)
{
    if (auto* linear = qobject_cast<QValueAxis*>(axis)) {
        linear->setTickType(QValueAxis::TicksDynamic);
        linear->setTickAnchor(0);
        linear->setTickInterval(niceStep(high - low, std::clamp(static_cast<int>(pixels / kTickPixels), 2, 8)));
    } else if (auto* logarithmic = qobject_cast<QLogValueAxis*>(axis)) {
        const double decades = std::log10(high / low);
        logarithmic->setBase(decades >= 1.5 ? 10 : decades >= 0.6 ? 2 : std::pow(10, std::max(decades, 1e-6) / 4));
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
    setMinimumSize(220, 160);
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
    for (std::size_t i = 0; i < m_series.size(); ++i) {
        QList<QPointF> points;
        points.reserve(static_cast<qsizetype>(m_series[i].points.size()));
        for (const auto& p : m_series[i].points)
            if ((!m_axes.logX || p.x > 0) && (!m_axes.logY || m_series[i].secondary || p.y > 0))
                points.append({p.x, p.y});
        m_lines[i]->replace(points);
        m_lines[i]->setName(QString::fromStdString(m_series[i].name));
        const QList<QAbstractAxis*> wanted{m_x, m_series[i].secondary && m_right ? m_right : m_y};
        if (m_lines[i]->attachedAxes() != wanted) {
            for (auto* axis : m_lines[i]->attachedAxes())
                m_lines[i]->detachAxis(axis);
            for (auto* axis : wanted)
                m_lines[i]->attachAxis(axis);
        }
    }
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

void ChartCanvas::stylePens()
{
    const auto& theme = Theme::instance();
    if (chart()->legend()->isVisible() != !m_series.empty())
        chart()->legend()->setVisible(!m_series.empty());
    for (std::size_t i = 0; i < m_lines.size(); ++i) {
        const int color = m_series[i].group >= 0 ? m_series[i].group : static_cast<int>(i);
        QPen pen(theme.seriesColor(color), m_series[i].dashed ? 1.4 : 2.0);
        pen.setStyle(m_series[i].dashed ? Qt::DashLine : Qt::SolidLine);
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
    const QRectF area = plotArea();
    // The ends of a logarithmic axis are widened by less than a pixel: Qt Charts computes ln(0.01) / ln(10) a little above
    // -2 and would leave the last decade without its label.
    const auto place = [](QAbstractAxis* axis, const Range& range, bool logarithmic, double pixels) {
        const double slack = logarithmic ? 1e-9 : 0;
        placeTicks(axis, range.low * (1 - slack), range.high * (1 + slack), pixels);
    };
    place(m_x, m_xRange, m_axes.logX, area.width());
    place(m_y, m_yRange, m_axes.logY, area.height() * 1.4);
    if (m_right)
        place(m_right, m_rightRange, false, area.height() * 1.4);
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
    applyRanges(); // as many ticks as there is room for
}

void ChartCanvas::leaveEvent(QEvent* event)
{
    m_pointerInside = false;
    viewport()->update();
    QChartView::leaveEvent(event);
}

void ChartCanvas::drawForeground(QPainter* painter, const QRectF&)
{
    const auto& theme = Theme::instance();
    painter->save();
    painter->setRenderHint(QPainter::Antialiasing);
    const QRectF area = plotArea();
    if (m_series.empty()) {
        painter->fillRect(QRectF(rect()), theme.color(Ink::Panel));
        painter->setPen(theme.color(Ink::MutedText));
        painter->setFont(font());
        painter->drawText(QRectF(rect()).adjusted(24, 24, -24, -24), Qt::AlignCenter | Qt::TextWordWrap, m_emptyText);
        painter->restore();
        return;
    }
    if (m_cursor) {
        const double x = toPixel(*m_cursor, m_yRange.low).x();
        if (x >= area.left() - 0.5 && x <= area.right() + 0.5) {
            painter->setPen(QPen(theme.color(Ink::Accent), 2));
            painter->drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()));
            const QFontMetricsF metrics(font());
            const QString label = m_cursorLabel.isEmpty() ? formatNumber(*m_cursor, 6) : m_cursorLabel;
            QRectF box(0, 0, metrics.horizontalAdvance(label) + 12, metrics.height() + 4);
            box.moveTopLeft({std::clamp(x - box.width() / 2, area.left(), std::max(area.left(), area.right() - box.width())),
                             area.top()});
            painter->setPen(Qt::NoPen);
            painter->setBrush(theme.color(Ink::Accent));
            painter->drawRoundedRect(box, 3, 3);
            painter->setFont(font());
            painter->setPen(theme.color(Ink::AccentText));
            painter->drawText(box, Qt::AlignCenter, label);
        }
    }
    if (m_drag == Drag::Band) {
        QColor fill = theme.color(Ink::Accent);
        fill.setAlpha(40);
        painter->setPen(QPen(theme.color(Ink::Accent), 1, Qt::DashLine));
        painter->setBrush(fill);
        painter->drawRect(QRectF(m_dragStart, m_pointer).normalized().intersected(area));
    }
    drawHover(painter);
    drawBadge(painter);
    painter->restore();
}

QStringList ChartCanvas::hoverLines(double x, std::vector<HoverPoint>* found) const
{
    constexpr std::size_t kMostRows = 13;
    QStringList lines{QStringLiteral("%1 %2").arg(m_axes.xTitle, formatNumber(x, 6))};
    found->clear();
    for (std::size_t i = 0; i < m_series.size() && found->size() < kMostRows; ++i) {
        const auto& points = m_series[i].points;
        if (points.empty() || !m_lines[i]->isVisible())
            continue;
        auto near = std::lower_bound(points.begin(), points.end(), x, [](const auto& p, double v) { return p.x < v; });
        if (near == points.end() || (near != points.begin() && x - (near - 1)->x < near->x - x))
            --near;
        const double reach = m_axes.wholeX ? 1 : 0.02 * (m_xRange.high - m_xRange.low);
        if (x < points.front().x - reach || x > points.back().x + reach)
            continue;
        found->push_back({toPixel(near->x, near->y, m_series[i].secondary), m_lines[i]->color()});
        lines.append(QString::fromStdString(m_series[i].name) + QStringLiteral("  ") + formatNumber(near->y));
    }
    return lines;
}

QStringList ChartCanvas::hoverLines() const
{
    if (!m_pointerInside || m_series.empty())
        return {};
    const double x = fromPixelX(m_pointer.x());
    std::vector<HoverPoint> found;
    return hoverLines(m_axes.wholeX ? std::round(x) : x, &found);
}

void ChartCanvas::drawHover(QPainter* painter)
{
    if (!m_pointerInside || m_exporting || m_drag == Drag::Band || m_drag == Drag::Pan)
        return;
    const auto& theme = Theme::instance();
    const QRectF area = plotArea();
    double x = fromPixelX(m_pointer.x());
    if (m_axes.wholeX)
        x = std::round(x);
    struct Row {
        QColor color;
        QString text;
    };
    std::vector<Row> rows;
    for (const QString& line : hoverLines(x, &m_hoverPoints))
        rows.push_back({rows.empty() ? theme.color(Ink::Text) : m_hoverPoints[rows.size() - 1].color, line});
    for (const auto& point : m_hoverPoints)
        if (area.contains(point.position)) {
            painter->setPen(QPen(theme.color(Ink::Panel), 1.5));
            painter->setBrush(point.color);
            painter->drawEllipse(point.position, 4, 4);
        }
    const QFont small = Theme::smallFont(font());
    const QFontMetricsF metrics(small);
    double width = 0;
    for (const auto& row : rows)
        width = std::max(width, metrics.horizontalAdvance(row.text));
    QRectF box(0, 0, width + 26, metrics.height() * static_cast<double>(rows.size()) + 10);
    box.moveTopLeft(m_pointer + QPointF(14, 14));
    if (box.right() > area.right())
        box.moveRight(m_pointer.x() - 14);
    if (box.bottom() > area.bottom())
        box.moveBottom(std::max(area.top() + box.height(), m_pointer.y() - 14));
    painter->setPen(QPen(theme.color(Ink::MutedText), 1, Qt::DotLine));
    painter->drawLine(QPointF(m_pointer.x(), area.top()), QPointF(m_pointer.x(), area.bottom()));
    QColor fill = theme.color(Ink::Panel);
    fill.setAlpha(240);
    painter->setPen(theme.color(Ink::Border));
    painter->setBrush(fill);
    painter->drawRoundedRect(box, 4, 4);
    painter->setFont(small);
    double y = box.top() + 5;
    for (std::size_t i = 0; i < rows.size(); ++i, y += metrics.height()) {
        if (i > 0) {
            painter->setPen(Qt::NoPen);
            painter->setBrush(rows[i].color);
            painter->drawEllipse(QPointF(box.left() + 10, y + metrics.height() / 2), 3.5, 3.5);
        }
        painter->setPen(theme.color(Ink::Text));
        painter->drawText(QRectF(box.left() + (i > 0 ? 18 : 8), y, box.width() - 18, metrics.height()), Qt::AlignVCenter, rows[i].text);
    }
}

void ChartCanvas::paintPicture(QPainter& painter)
{
    m_exporting = true;
    render(&painter, QRectF(QPointF(0, 0), QSizeF(size())), viewport()->rect(), Qt::IgnoreAspectRatio);
    m_exporting = false;
}

void ChartCanvas::drawBadge(QPainter* painter) const
{
    if (!m_badge || m_exporting)
        return;
    const auto& theme = Theme::instance();
    const QString text = tr("updating…");
    const QFontMetricsF metrics(font());
    QRectF box(0, 0, metrics.horizontalAdvance(text) + 16, metrics.height() + 6);
    box.moveTopRight(plotArea().topRight() + QPointF(-6, 6));
    painter->setPen(QPen(theme.color(Ink::Stale), 1));
    painter->setBrush(theme.color(Ink::Panel));
    painter->drawRoundedRect(box, 4, 4);
    painter->setFont(font());
    painter->drawText(box, Qt::AlignCenter, text);
}

} // namespace tamis::views
