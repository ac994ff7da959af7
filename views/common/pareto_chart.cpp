// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/common/pareto_chart.h"

#include "views/common/nice_step.h"
#include "views/common/number_format.h"
#include "views/common/theme.h"

#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
constexpr double kLowestLoss = 1e-8; ///< drawn at the foot: below is rounding
double logLoss(double loss) { return std::log10(std::max(loss, kLowestLoss)); }
} // namespace

double costIn(CostUnit unit, const report::Cost& cost)
{
    switch (unit) {
    case CostUnit::Parameters: return static_cast<double>(cost.parameters);
    case CostUnit::Bytes: return static_cast<double>(cost.bytes);
    case CostUnit::Macs: return static_cast<double>(cost.macs);
    case CostUnit::Latency: return cost.latencyMs;
    }
    return 0;
}

QString costUnitTitle(CostUnit unit)
{
    switch (unit) {
    case CostUnit::Parameters: return QObject::tr("Parameters");
    case CostUnit::Bytes: return QObject::tr("Bytes");
    case CostUnit::Macs: return QObject::tr("MACs a token");
    case CostUnit::Latency: return QObject::tr("Measured latency");
    }
    return {};
}

QString formatCost(CostUnit unit, double value)
{
    return unit == CostUnit::Bytes ? formatBytes(value) : unit == CostUnit::Latency ? formatMilliseconds(value) : formatCount(value);
}

ParetoChart::ParetoChart(QWidget* parent) : QWidget(parent)
{
    setMouseTracking(true);
    setFocusPolicy(Qt::StrongFocus);
    setObjectName(QStringLiteral("paretoChart"));
    setAccessibleName(tr("Operating points, cost against relative loss"));
    connect(&Theme::instance(), &Theme::changed, this, qOverload<>(&QWidget::update));
}

void ParetoChart::setPoints(const std::vector<report::OperatingPoint>& points)
{
    m_points = points;
    m_hovered = -1;
    if (m_selected >= static_cast<int>(points.size()))
        m_selected = -1;
    update();
}

void ParetoChart::setCurrent(const std::optional<report::OperatingPoint>& point)
{
    m_current = point;
    update();
}

void ParetoChart::setUnit(CostUnit unit)
{
    m_unit = unit;
    update();
}

void ParetoChart::setSelected(int index)
{
    m_selected = index;
    update();
}

ParetoChart::Frame ParetoChart::frame() const
{
    const QFontMetricsF metrics(Theme::smallFont(font()));
    Frame f;
    f.area = QRectF(rect()).adjusted(metrics.height() + metrics.horizontalAdvance(QStringLiteral("0.0001")) + 14,
                                     metrics.height() + 18, -28,
                                     -2 * metrics.height() - 14);
    double xLow = INFINITY, xHigh = 0, yLow = 0, yHigh = -8;
    const auto add = [&](const report::OperatingPoint& p) {
        const double x = costIn(m_unit, p.cost);
        if (!std::isfinite(x))
            return;
        xLow = std::min(xLow, x);
        xHigh = std::max(xHigh, x);
        yLow = std::min(yLow, logLoss(p.relativeLoss));
        yHigh = std::max(yHigh, logLoss(p.relativeLoss));
    };
    std::for_each(m_points.begin(), m_points.end(), add);
    if (m_current)
        add(*m_current);
    if (xHigh > 0) {
        const double pad = std::max(0.06 * (xHigh - xLow), 0.01 * xHigh);
        f.xLow = std::max(0.0, xLow - pad);
        f.xHigh = xHigh + pad;
        f.yLow = std::floor(yLow - 0.05);
        f.yHigh = std::max(std::ceil(yHigh + 0.05), f.yLow + 1);
    }
    return f;
}

QPointF ParetoChart::place(const Frame& f, const report::OperatingPoint& point) const
{
    return {f.area.left() + (costIn(m_unit, point.cost) - f.xLow) / (f.xHigh - f.xLow) * f.area.width(),
            f.area.bottom() - (logLoss(point.relativeLoss) - f.yLow) / (f.yHigh - f.yLow) * f.area.height()};
}

QPointF ParetoChart::toPixel(const report::OperatingPoint& point) const { return place(frame(), point); }

int ParetoChart::pointAt(const QPointF& position) const
{
    const Frame f = frame();
    int best = -1;
    double nearest = 10;
    for (std::size_t i = 0; i < m_points.size(); ++i) {
        const QPointF d = place(f, m_points[i]) - position;
        if (const double distance = std::hypot(d.x(), d.y()); distance < nearest) {
            nearest = distance;
            best = static_cast<int>(i);
        }
    }
    return best;
}

void ParetoChart::paintEvent(QPaintEvent*)
{
    QPainter painter(this);
    draw(painter, true);
}

void ParetoChart::paintPicture(QPainter& painter) const { draw(painter, false); }

void ParetoChart::draw(QPainter& painter, bool hover) const
{
    const auto& theme = Theme::instance();
    painter.setRenderHint(QPainter::Antialiasing);
    painter.fillRect(rect(), theme.color(Ink::Panel));
    if (m_points.empty() && !m_current) {
        painter.setPen(theme.color(Ink::MutedText));
        painter.drawText(rect().adjusted(16, 16, -16, -16), Qt::AlignCenter | Qt::TextWordWrap,
                         tr("Keep a configuration (Ctrl+K, \"Keep this point\") to compare it with others here."));
        return;
    }
    const Frame f = frame();
    drawAxes(painter, f);
    drawLegend(painter, f);
    drawPoints(painter, f);
    if (hover)
        drawHover(painter, f);
}

void ParetoChart::drawLegend(QPainter& painter, const Frame& f) const
{
    const auto& theme = Theme::instance();
    painter.setFont(Theme::smallFont(font()));
    const QFontMetricsF metrics(painter.font());
    double x = f.area.left();
    const double y = f.area.top() - metrics.height() / 2 - 8;
    const auto entry = [&](const QString& text, Ink ink, bool filled, bool square) {
        painter.setPen(QPen(theme.color(ink), 1.6));
        painter.setBrush(filled ? QBrush(theme.color(ink)) : QBrush(Qt::NoBrush));
        if (square)
            painter.drawRect(QRectF(x + 1, y - 4, 8, 8));
        else
            painter.drawEllipse(QPointF(x + 5, y), 4.5, 4.5);
        painter.setPen(theme.color(Ink::Text));
        painter.drawText(QPointF(x + 15, y + metrics.ascent() / 2 - 1), text);
        x += 15 + metrics.horizontalAdvance(text) + 16;
    };
    const auto any = [&](auto&& test) { return std::any_of(m_points.begin(), m_points.end(), test); };
    if (any([](const auto& p) { return p.onFront && !p.baseline; }))
        entry(tr("on the front"), Ink::Accent, true, false);
    if (any([](const auto& p) { return !p.onFront && !p.baseline; }))
        entry(tr("kept"), Ink::Accent, false, false);
    if (any([](const auto& p) { return p.baseline; }))
        entry(tr("baseline"), Ink::Baseline, false, true);
    if (m_current)
        entry(tr("now"), Ink::Loss, false, false);
}

void ParetoChart::drawAxes(QPainter& painter, const Frame& f) const
{
    const auto& theme = Theme::instance();
    painter.setFont(Theme::smallFont(font()));
    const QFontMetricsF metrics(painter.font());
    const int decades = static_cast<int>(std::lround(f.yHigh - f.yLow));
    const int stride = std::max(1, static_cast<int>(std::ceil(decades * metrics.height() * 1.4 / f.area.height())));
    for (int d = 0; d <= decades; d += stride) {
        const double y = f.area.bottom() - f.area.height() * d / decades;
        painter.setPen(QPen(theme.color(Ink::Grid), 1));
        painter.drawLine(QPointF(f.area.left(), y), QPointF(f.area.right(), y));
        painter.setPen(theme.color(Ink::MutedText));
        painter.drawText(QRectF(0, y - metrics.height() / 2, f.area.left() - 6, metrics.height()), Qt::AlignRight | Qt::AlignVCenter,
                         QString::number(std::pow(10, f.yLow + d), 'g', 2));
    }
    // Bytes are labelled in KiB, MiB ...: round steps of those.
    const double unit = m_unit == CostUnit::Bytes ? std::pow(1024.0, std::floor(std::log(std::max(f.xHigh, 1.0)) / std::log(1024.0))) : 1;
    const double step = unit * niceStep((f.xHigh - f.xLow) / unit, std::clamp(static_cast<int>(f.area.width() / 80), 1, 8));
    for (double value = std::ceil(f.xLow / step) * step; value <= f.xHigh * (1 + 1e-12); value += step) {
        const double x = f.area.left() + (value - f.xLow) / (f.xHigh - f.xLow) * f.area.width();
        painter.setPen(QPen(theme.color(Ink::Grid), 1));
        painter.drawLine(QPointF(x, f.area.top()), QPointF(x, f.area.bottom()));
        painter.setPen(theme.color(Ink::MutedText));
        painter.drawText(QRectF(x - 45, f.area.bottom() + 4, 90, metrics.height()), Qt::AlignHCenter, formatCost(m_unit, value));
    }
    painter.setPen(theme.color(Ink::Text));
    painter.drawText(QRectF(f.area.left(), f.area.bottom() + metrics.height() + 6, f.area.width(), metrics.height()), Qt::AlignHCenter,
                     costUnitTitle(m_unit));
    painter.save();
    painter.translate(metrics.height() / 2 + 3, f.area.center().y());
    painter.rotate(-90);
    QString title = tr("Relative loss");
    // as many words as the height has room for
    for (const QString& shorter : {tr("Rel. loss"), tr("Loss")})
        if (metrics.horizontalAdvance(title) > f.area.height())
            title = shorter;
    painter.drawText(QRectF(-f.area.height() / 2, -metrics.height() / 2, f.area.height(), metrics.height()), Qt::AlignCenter, title);
    painter.restore();
}

void ParetoChart::drawPoints(QPainter& painter, const Frame& f) const
{
    const auto& theme = Theme::instance();
    std::vector<QPointF> front;
    for (const auto& p : m_points)
        if (p.onFront && std::isfinite(costIn(m_unit, p.cost)))
            front.push_back(place(f, p));
    std::sort(front.begin(), front.end(), [](const QPointF& a, const QPointF& b) { return a.x() < b.x(); });
    painter.setPen(QPen(theme.color(Ink::Accent), 1.5));
    for (std::size_t i = 1; i < front.size(); ++i)
        painter.drawLine(front[i - 1], front[i]);
    for (std::size_t i = 0; i < m_points.size(); ++i) {
        const auto& p = m_points[i];
        if (!std::isfinite(costIn(m_unit, p.cost)))
            continue;
        const QPointF at = place(f, p);
        const QColor color = theme.color(p.baseline ? Ink::Baseline : Ink::Accent);
        painter.setPen(QPen(color, 1.6));
        painter.setBrush(p.onFront ? QBrush(color) : QBrush(theme.color(Ink::Panel)));
        if (p.baseline)
            painter.drawRect(QRectF(at.x() - 4, at.y() - 4, 8, 8));
        else
            painter.drawEllipse(at, 4.5, 4.5);
        if (static_cast<int>(i) == m_selected || static_cast<int>(i) == m_hovered) {
            painter.setBrush(Qt::NoBrush);
            painter.drawEllipse(at, 8, 8);
        }
    }
    if (m_current && std::isfinite(costIn(m_unit, m_current->cost))) {
        painter.setBrush(Qt::NoBrush);
        painter.setPen(QPen(theme.color(Ink::Loss), 2));
        painter.drawEllipse(place(f, *m_current), 6, 6);
    }
}

void ParetoChart::drawHover(QPainter& painter, const Frame& f) const
{
    const QString text = hoverLines().join(QLatin1Char('\n'));
    if (text.isEmpty())
        return;
    const auto& theme = Theme::instance();
    const auto& p = m_points[static_cast<std::size_t>(m_hovered >= 0 ? m_hovered : m_selected)];
    painter.setFont(Theme::smallFont(font()));
    QRectF box = painter.fontMetrics().boundingRect(QRect(0, 0, 360, 200), Qt::TextWordWrap, text).toRectF().adjusted(-8, -5, 8, 5);
    box.moveTopLeft(place(f, p) + QPointF(12, 12));
    if (box.right() > width() - 4)
        box.moveRight(place(f, p).x() - 12);
    if (box.bottom() > height() - 4)
        box.moveBottom(height() - 4);
    painter.setPen(theme.color(Ink::Border));
    painter.setBrush(theme.color(Ink::Panel));
    painter.drawRoundedRect(box, 4, 4);
    painter.setPen(theme.color(Ink::Text));
    painter.drawText(box.adjusted(8, 5, -8, -5), Qt::TextWordWrap, text);
}

QStringList ParetoChart::hoverLines() const
{
    const int index = m_hovered >= 0 ? m_hovered : (hasFocus() ? m_selected : -1);
    if (index < 0)
        return {};
    const auto& p = m_points[static_cast<std::size_t>(index)];
    return {QString::fromStdString(p.label), QString::fromStdString(p.settings),
            formatCost(m_unit, costIn(m_unit, p.cost)) + QStringLiteral(" · ") + tr("loss %1").arg(formatPercent(p.relativeLoss, 2))};
}

void ParetoChart::mouseMoveEvent(QMouseEvent* event)
{
    const int at = pointAt(event->position());
    if (at != m_hovered) {
        m_hovered = at;
        setCursor(at >= 0 ? Qt::PointingHandCursor : Qt::ArrowCursor);
        update();
    }
}

void ParetoChart::mousePressEvent(QMouseEvent* event)
{
    if (const int at = pointAt(event->position()); at >= 0 && event->button() == Qt::LeftButton) {
        setSelected(at);
        emit pointActivated(at);
    }
}

void ParetoChart::keyPressEvent(QKeyEvent* event)
{
    const int count = static_cast<int>(m_points.size());
    if (count > 0 && (event->key() == Qt::Key_Right || event->key() == Qt::Key_Left))
        setSelected((m_selected + (event->key() == Qt::Key_Right ? 1 : count - 1) + (m_selected < 0 && event->key() == Qt::Key_Left)) % count);
    else if (m_selected >= 0 && (event->key() == Qt::Key_Return || event->key() == Qt::Key_Enter))
        emit pointActivated(m_selected);
    else
        QWidget::keyPressEvent(event);
}

void ParetoChart::leaveEvent(QEvent*)
{
    m_hovered = -1;
    update();
}

} // namespace tamis::views
