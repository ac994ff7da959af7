// SPDX-License-Identifier: GPL-3.0-or-later
// How SurfaceView draws.
#include "core/report/isolines.h"
#include "views/common/number_format.h"
#include "views/common/plot_paint.h"
#include "views/common/theme.h"
#include "views/encoder/surface_view.h"

#include <QFontMetricsF>
#include <QPainter>
#include <QPainterPath>

#include <algorithm>
#include <array>
#include <cmath>

namespace tamis::views {
namespace {
constexpr double kRecalls[] = {0.5, 0.8, 0.9, 0.95, 0.99, 0.999};
constexpr double kShares[] = {1.0 / 64, 1.0 / 32, 1.0 / 16, 0.125, 0.25, 0.5, 1, 2};

QString recallText(double recall) { return formatPercent(recall, recall > 0.995 ? 1 : 0); }
QString shareText(double share) { return formatPercent(share, share < 0.1 ? 1 : share < 0.2 ? 1 : 0); }

QPainterPath star(const QPointF& middle, double radius)
{
    QPolygonF points;
    for (int i = 0; i < 10; ++i) {
        const double r = i % 2 == 0 ? radius : 0.45 * radius, angle = M_PI * (0.2 * i - 0.5);
        points << middle + QPointF(r * std::cos(angle), r * std::sin(angle));
    }
    QPainterPath path;
    path.addPolygon(points);
    path.closeSubpath();
    return path;
}
} // namespace

/// Row by row from the top, one column more than there are steps: colours between the measured settings by their logarithms.
QImage SurfaceView::picture(const QSize& pixels) const
{
    QImage image(pixels, QImage::Format_RGB32);
    std::array<QRgb, 256> colors{};
    for (std::size_t i = 0; i < colors.size(); ++i)
        colors[i] = Theme::sequentialColor(static_cast<double>(i) / 255).rgb();
    const QRgb nothing = Theme::instance().color(Ink::Grid).rgb();
    const Frame f = frame();
    struct Step {
        std::size_t low, high;
        double t;
    };
    const auto steps = [](const std::vector<std::int64_t>& values, double low, double high, int count) {
        std::vector<Step> made;
        std::size_t at = 0;
        for (int i = 0; i < count; ++i) {
            const double value = low + (high - low) * (i + 0.5) / count;
            while (at + 2 < values.size() && std::log2(static_cast<double>(values[at + 1])) < value)
                ++at;
            const std::size_t next = std::min(at + 1, values.size() - 1);
            const double from = std::log2(static_cast<double>(values[at])), to = std::log2(static_cast<double>(values[next]));
            made.push_back({at, next, to > from ? std::clamp((value - from) / (to - from), 0.0, 1.0) : 0});
        }
        return made;
    };
    const auto columns = steps(m_surface->candidates, f.xLow, f.xHigh, pixels.width()), rows = steps(m_surface->ranks, f.yLow, f.yHigh, pixels.height());
    const double low = lowest();
    const auto value = [&](std::size_t rank, std::size_t candidates) { return report::recallAt(at({rank, candidates}), m_measure); };
    for (int y = 0; y < pixels.height(); ++y) {
        const Step& row = rows[static_cast<std::size_t>(pixels.height() - 1 - y)];
        auto* line = reinterpret_cast<QRgb*>(image.scanLine(y));
        for (int x = 0; x < pixels.width(); ++x) {
            const Step& column = columns[static_cast<std::size_t>(x)];
            const double below = (1 - column.t) * value(row.low, column.low) + column.t * value(row.low, column.high);
            const double above = (1 - column.t) * value(row.high, column.low) + column.t * value(row.high, column.high);
            const double recall = (1 - row.t) * below + row.t * above;
            line[x] = std::isfinite(recall) ? colors[static_cast<std::size_t>(std::clamp((recall - low) / (1 - low), 0.0, 1.0) * 255)] : nothing;
        }
    }
    return image;
}

void SurfaceView::draw(QPainter& painter, bool interactive) const
{
    const auto& theme = Theme::instance();
    painter.setRenderHint(QPainter::Antialiasing);
    painter.fillRect(rect(), theme.color(Ink::Panel));
    if (isEmpty()) {
        painter.setPen(theme.color(Ink::MutedText));
        painter.drawText(rect().adjusted(16, 16, -16, -16), Qt::AlignCenter | Qt::TextWordWrap, m_emptyText);
    } else {
        const Frame f = frame();
        painter.setFont(Theme::smallFont(font()));
        painter.drawImage(f.area, picture(QSize(std::max(static_cast<int>(f.area.width() / 2), 1), std::max(static_cast<int>(f.area.height() / 2), 1))));
        drawIsolines(painter, f);
        drawAxes(painter, f);
        drawMarks(painter, f, interactive);
        drawBar(painter, f);
        drawLegend(painter, f);
        if (interactive && m_stale)
            drawTag(painter, f.area.adjusted(4, 4, -4, -4), f.area.topRight(), tr("of older settings"), Ink::Stale);
        if (const QStringList lines = interactive ? hoverLines() : QStringList(); !lines.isEmpty()) {
            const Cell cell = m_hovered ? *m_hovered : *m_walked;
            drawHoverBox(painter, rect(), place(f, static_cast<double>(at(cell).rank), static_cast<double>(at(cell).candidates)), lines);
        }
    }
    if (interactive && hasFocus())
        drawFocus(painter, rect());
}

void SurfaceView::drawAxes(QPainter& painter, const Frame& f) const
{
    const auto& theme = Theme::instance();
    const QFontMetricsF metrics(painter.font());
    const double line = metrics.height();
    painter.setBrush(Qt::NoBrush);
    painter.setPen(QPen(theme.color(Ink::Border), 1));
    painter.drawRect(f.area);
    double free = f.area.bottom() + line; // labels that would touch the one before are left out
    for (const std::int64_t rank : m_surface->ranks) {
        const double y = place(f, static_cast<double>(rank), 1).y();
        painter.setPen(theme.color(Ink::MutedText));
        painter.drawLine(QPointF(f.area.left() - 3, y), QPointF(f.area.left(), y));
        if (y + line / 2 > free)
            continue;
        painter.drawText(QRectF(line, y - line / 2, f.area.left() - line - 6, line), Qt::AlignRight | Qt::AlignVCenter, QString::number(rank));
        free = y - line / 2;
    }
    double next = -1, labelled = 0; // in doublings
    for (const std::int64_t candidates : m_surface->candidates) {
        const double x = place(f, 1, static_cast<double>(candidates)).x(), half = metrics.horizontalAdvance(formatCount(static_cast<double>(candidates))) / 2;
        painter.setPen(theme.color(Ink::MutedText));
        painter.drawLine(QPointF(x, f.area.bottom()), QPointF(x, f.area.bottom() + 3));
        if (x - half < next || static_cast<double>(candidates) < 1.9 * labelled)
            continue;
        labelled = static_cast<double>(candidates);
        painter.drawText(QRectF(x - 40, f.area.bottom() + 4, 80, line), Qt::AlignHCenter, candidates < 10'000 ? QString::number(candidates) : formatCount(static_cast<double>(candidates)));
        next = x + half + 10;
    }
    painter.setPen(theme.color(Ink::Text));
    painter.drawText(QRectF(f.area.left(), f.area.bottom() + line + 6, f.area.width(), line), Qt::AlignHCenter, tr("Candidates that are scored exactly, K coarse"));
    drawAxisTitle(painter, f.area, tr("Rank of the coarse scores, r"));
}

/// Seen on any colour of the map, which is the same in both themes: a dark line in a light casing.
void SurfaceView::drawIsoline(QPainter& painter, const QPolygonF& line, bool dashed) const
{
    const auto& theme = Theme::instance();
    QColor casing = theme.color(theme.isDark() ? Ink::Text : Ink::Panel);
    casing.setAlphaF(dashed ? 0.45F : 0.7F);
    painter.setBrush(Qt::NoBrush);
    painter.setPen(QPen(casing, dashed ? 2.4 : 3.4, Qt::SolidLine, Qt::FlatCap, Qt::RoundJoin));
    painter.drawPolyline(line);
    QPen pen(theme.color(theme.isDark() ? Ink::Window : Ink::Text), dashed ? 1 : 1.5, Qt::SolidLine, Qt::FlatCap, Qt::RoundJoin);
    if (dashed)
        pen.setDashPattern({5, 4});
    painter.setPen(pen);
    painter.drawPolyline(line);
}

void SurfaceView::drawIsolines(QPainter& painter, const Frame& f) const
{
    const std::size_t rows = m_surface->ranks.size(), columns = m_surface->candidates.size();
    std::vector<double> recalls, costs; // costs in powers of two of the exact encoder's: their lines are smooth in between
    for (const auto& point : m_surface->points) {
        recalls.push_back(report::recallAt(point, m_measure));
        costs.push_back(std::log2(report::costAt(point, m_cost) / report::exactCost(*m_surface, m_cost)));
    }
    struct Label {
        QPointF at;
        QString text;
        bool cost;
    };
    std::vector<Label> labels;
    const auto trace = [&](const std::vector<double>& values, double level, const QString& text, bool cost) {
        for (const auto& points : report::isolines(values, rows, columns, level)) {
            QPolygonF line;
            double length = 0;
            for (const auto& point : points) {
                line << place(f, point);
                if (line.size() > 1)
                    length += std::hypot(line[line.size() - 1].x() - line[line.size() - 2].x(), line[line.size() - 1].y() - line[line.size() - 2].y());
            }
            drawIsoline(painter, line, cost);
            if (length > 60) // where recall's lie on the left and costs' on the right, they do not cover each other
                labels.push_back({line[static_cast<qsizetype>(static_cast<double>(line.size()) * (cost ? 0.85 : 0.35))], text, cost});
        }
    };
    painter.save();
    painter.setClipRect(f.area);
    for (const double share : kShares)
        trace(costs, std::log2(share), shareText(share), true);
    for (const double recall : kRecalls)
        trace(recalls, recall, recallText(recall), false);
    painter.restore();
    std::vector<QRectF> taken;
    for (const Label& label : labels) {
        const QFontMetricsF metrics(painter.font());
        QRectF box(0, 0, metrics.horizontalAdvance(label.text) + 14, metrics.height() + 6);
        box.moveCenter(label.at);
        if (std::ranges::any_of(taken, [&](const QRectF& other) { return other.intersects(box); }))
            continue;
        taken.push_back(drawTag(painter, f.area.adjusted(2, 2, -2, -2), label.at, label.text, label.cost ? Ink::Window : Ink::Text));
    }
}

void SurfaceView::drawMarks(QPainter& painter, const Frame& f, bool interactive) const
{
    const auto& theme = Theme::instance();
    const auto where = [&](std::int64_t rank, std::int64_t candidates) { return place(f, static_cast<double>(rank), static_cast<double>(candidates)); };
    if (const auto* best = cheapest()) {
        painter.setPen(QPen(theme.color(Ink::Panel), 1.6));
        painter.setBrush(theme.color(Ink::Loss));
        painter.drawPath(star(where(best->rank, best->candidates), 9));
    }
    const auto ring = [&](const QPointF& at, double radius, const QColor& color) {
        painter.setBrush(Qt::NoBrush);
        painter.setPen(QPen(theme.color(Ink::Panel), 4.4));
        painter.drawEllipse(at, radius, radius);
        painter.setPen(QPen(color, 2.4));
        painter.drawEllipse(at, radius, radius);
    };
    if (m_current)
        ring(where(m_current->first, m_current->second), 7, theme.color(Ink::Accent));
    const auto cell = m_hovered ? m_hovered : hasFocus() ? m_walked : std::nullopt;
    if (interactive && cell)
        ring(where(at(*cell).rank, at(*cell).candidates), 4, theme.color(Ink::Text));
}

void SurfaceView::drawBar(QPainter& painter, const Frame& f) const
{
    const auto& theme = Theme::instance();
    const QFontMetricsF metrics(painter.font());
    const double line = metrics.height(), low = lowest();
    QLinearGradient gradient(f.bar.bottomLeft(), f.bar.topLeft());
    for (int i = 0; i <= 32; ++i)
        gradient.setColorAt(i / 32.0, Theme::sequentialColor(i / 32.0));
    painter.setPen(QPen(theme.color(Ink::Border), 1));
    painter.setBrush(gradient);
    painter.drawRect(f.bar);
    double widest = 0;
    for (const double recall : linearTicks(low, 1, std::clamp(static_cast<int>(f.bar.height() / (2.5 * line)), 1, 8))) {
        const double y = f.bar.bottom() - (recall - low) / (1 - low) * f.bar.height();
        const QString text = formatPercent(recall, 1 - low < 0.05 ? 1 : 0);
        painter.setPen(theme.color(Ink::MutedText));
        painter.drawLine(QPointF(f.bar.right(), y), QPointF(f.bar.right() + 3, y));
        painter.drawText(QRectF(f.bar.right() + 6, y - line / 2, width() - f.bar.right() - 6, line), Qt::AlignLeft | Qt::AlignVCenter, text);
        widest = std::max(widest, metrics.horizontalAdvance(text));
    }
    painter.save();
    painter.setPen(theme.color(Ink::Text));
    painter.translate(std::min(f.bar.right() + 12 + widest + line / 2, width() - line / 2 - 1), f.bar.center().y());
    painter.rotate(-90);
    painter.drawText(QRectF(-f.bar.height() / 2, -line / 2, f.bar.height(), line), Qt::AlignCenter, metrics.elidedText(recallMeasureTitle(m_measure), Qt::ElideRight, f.bar.height()));
    painter.restore();
}

void SurfaceView::drawLegend(QPainter& painter, const Frame& f) const
{
    const auto& theme = Theme::instance();
    const QFontMetricsF metrics(painter.font());
    double x = f.legend.left();
    const double y = f.legend.center().y();
    const auto words = [&](double from, const QString& text) {
        painter.setPen(theme.color(Ink::Text));
        painter.drawText(QRectF(from, f.legend.top(), f.legend.right() - from, f.legend.height()), Qt::AlignLeft | Qt::AlignVCenter, metrics.elidedText(text, Qt::ElideRight, f.legend.right() - from));
        x = from + metrics.horizontalAdvance(text) + 18;
    };
    drawIsoline(painter, QPolygonF{QPointF(x, y), QPointF(x + 22, y)}, false);
    words(x + 28, tr("equal recall"));
    drawIsoline(painter, QPolygonF{QPointF(x, y), QPointF(x + 22, y)}, true);
    words(x + 28, m_cost == report::SurfaceCost::Macs ? tr("equal MACs, of the exact encoder's") : tr("equal bytes read, of the exact encoder's"));
    if (m_current) {
        painter.setBrush(Qt::NoBrush);
        painter.setPen(QPen(theme.color(Ink::Accent), 2.4));
        painter.drawEllipse(QPointF(x + 6, y), 5, 5);
        words(x + 17, tr("now"));
    }
    if (cheapest()) {
        painter.setPen(Qt::NoPen);
        painter.setBrush(theme.color(Ink::Loss));
        painter.drawPath(star({x + 6, y}, 7));
        words(x + 17, tr("cheapest with %1").arg(recallText(m_aim)));
    }
}

} // namespace tamis::views
