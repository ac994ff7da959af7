// SPDX-License-Identifier: GPL-3.0-or-later
// How RooflinePlot draws its axes, ceilings and dots.
#include "views/common/number_format.h"
#include "views/common/theme.h"
#include "views/model/layer_measure.h"
#include "views/model/roofline_plot.h"

#include <QPainter>

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
/// What a layer is for: decides its colour.
struct Family {
    const char* title;
    int series;
};
constexpr Family kFamilies[] = {{QT_TRANSLATE_NOOP("RooflinePlot", "projections"), 0}, {QT_TRANSLATE_NOOP("RooflinePlot", "MLP"), 1},
                                {QT_TRANSLATE_NOOP("RooflinePlot", "attention"), 2}, {QT_TRANSLATE_NOOP("RooflinePlot", "other"), 9}};

int familyOf(const report::LayerCost& layer)
{
    if (layer.kind == "attention")
        return 2;
    for (const char* role : {"q", "k", "v", "qkv", "o"})
        if (layer.role == role)
            return 0;
    for (const char* role : {"up", "gate", "down"})
        if (layer.role == role)
            return 1;
    return 3;
}
} // namespace

void RooflinePlot::paintEvent(QPaintEvent*)
{
    QPainter painter(this);
    draw(painter, true);
    if (hasFocus()) {
        painter.setBrush(Qt::NoBrush);
        painter.setPen(QPen(Theme::instance().color(Ink::Accent), 1));
        painter.drawRect(QRectF(rect()).adjusted(0.5, 0.5, -0.5, -0.5));
    }
}

void RooflinePlot::paintFigure(QPainter& painter) const { draw(painter, false); }

void RooflinePlot::draw(QPainter& painter, bool interactive) const
{
    const auto& theme = Theme::instance();
    painter.setRenderHint(QPainter::Antialiasing);
    painter.fillRect(rect(), theme.color(Ink::Panel));
    if (m_dots.empty()) {
        painter.setPen(theme.color(Ink::MutedText));
        painter.drawText(rect().adjusted(16, 16, -16, -16), Qt::AlignCenter | Qt::TextWordWrap,
                         m_report ? tr("Without ceilings there is no roof: measure this machine, or choose a preset.") : m_emptyText);
        return;
    }
    painter.setFont(Theme::smallFont(font()));
    const Frame f = frame();
    drawAxes(painter, f);
    drawRoof(painter, f);
    drawDots(painter, f, interactive);
    drawLegend(painter, f);
    if (interactive)
        drawHover(painter, f);
}

void RooflinePlot::drawAxes(QPainter& painter, const Frame& f) const
{
    const auto& theme = Theme::instance();
    const QFontMetricsF metrics(painter.font());
    const auto lines = [&](bool horizontal) {
        const double low = horizontal ? f.xLow : f.yLow, high = horizontal ? f.xHigh : f.yHigh;
        const bool fine = (horizontal ? f.area.width() : f.area.height()) / (high - low) > (horizontal ? 120 : 60);
        for (int decade = static_cast<int>(std::floor(low)); decade <= static_cast<int>(std::ceil(high)); ++decade)
            for (int digit = 1; digit < 10; ++digit) {
                const double value = digit * std::pow(10.0, decade), at = std::log10(value);
                if (at < low - 1e-9 || at > high + 1e-9 || (digit != 1 && !fine && digit != 3))
                    continue;
                const bool named = digit == 1 || digit == 3;
                const QPointF p = horizontal ? place(f, value, std::pow(10.0, f.yLow)) : place(f, std::pow(10.0, f.xLow), value);
                QColor grid = theme.color(Ink::Grid);
                grid.setAlpha(named ? 255 : 120);
                painter.setPen(QPen(grid, 1));
                painter.drawLine(p, horizontal ? QPointF(p.x(), f.area.top()) : QPointF(f.area.right(), p.y()));
                if (!named)
                    continue;
                painter.setPen(theme.color(Ink::MutedText));
                const QString text = value >= 1e4 ? formatCount(value) : value >= 1 ? QString::number(value, 'f', 0) : QString::number(value, 'g', 1);
                painter.drawText(horizontal ? QRectF(p.x() - 40, f.area.bottom() + 4, 80, metrics.height())
                                            : QRectF(0, p.y() - metrics.height() / 2, f.area.left() - 6, metrics.height()),
                                 horizontal ? Qt::AlignHCenter : Qt::AlignRight | Qt::AlignVCenter, text);
            }
    };
    lines(true);
    lines(false);
    painter.setPen(QPen(theme.color(Ink::Border), 1));
    painter.drawLine(f.area.bottomLeft(), f.area.bottomRight());
    painter.drawLine(f.area.bottomLeft(), f.area.topLeft());
    painter.setPen(theme.color(Ink::Text));
    painter.drawText(QRectF(f.area.left(), f.area.bottom() + metrics.height() + 6, f.area.width(), metrics.height()), Qt::AlignHCenter,
                     tr("Arithmetic intensity (FLOP/byte)"));
    painter.save();
    painter.translate(metrics.height() / 2 + 3, f.area.center().y());
    painter.rotate(-90);
    painter.drawText(QRectF(-f.area.height() / 2, -metrics.height() / 2, f.area.height(), metrics.height()), Qt::AlignCenter, tr("GFLOP/s"));
    painter.restore();
}

void RooflinePlot::drawRoof(QPainter& painter, const Frame& f) const
{
    if (!(m_ceilings.gflops > 0 && m_ceilings.gigabytesPerSecond > 0))
        return;
    const auto& theme = Theme::instance();
    const QFontMetricsF metrics(painter.font());
    const double ridge = m_ceilings.gflops / m_ceilings.gigabytesPerSecond;
    const double left = std::pow(10.0, f.xLow), right = std::pow(10.0, f.xHigh);
    const QPointF foot = place(f, left, m_ceilings.gigabytesPerSecond * left), corner = place(f, ridge, m_ceilings.gflops),
                  end = place(f, right, m_ceilings.gflops);
    painter.save();
    painter.setClipRect(f.area.adjusted(-1, -4, 1, 1));
    QColor shade = theme.color(Ink::Accent);
    shade.setAlpha(theme.isDark() ? 26 : 16);
    painter.setPen(Qt::NoPen);
    painter.setBrush(shade);
    painter.drawPolygon(QPolygonF{foot, corner, end, QPointF(end.x(), f.area.bottom()), QPointF(foot.x(), f.area.bottom())});
    painter.setPen(QPen(theme.color(Ink::Text), 1.8));
    painter.drawPolyline(QPolygonF{foot, corner, end});
    painter.setPen(QPen(theme.color(Ink::MutedText), 1, Qt::DotLine));
    painter.drawLine(corner, QPointF(corner.x(), f.area.bottom()));
    painter.restore();
    painter.setPen(theme.color(Ink::Text));
    const QString peak = tr("%1 GFLOP/s").arg(formatNumber(m_ceilings.gflops, 4));
    const double width = metrics.horizontalAdvance(peak) + 4; // beside the ridge: dots crowd at the other end
    painter.drawText(QRectF(std::min(corner.x() + 10, f.area.right() - width), end.y() - metrics.height() - 9, width, metrics.height()),
                     Qt::AlignLeft | Qt::AlignVCenter, peak);
    // Along the slope, a third of the way up what is in sight.
    const double slope = std::atan2(corner.y() - foot.y(), corner.x() - foot.x());
    const QPointF low = foot.y() > f.area.bottom() ? corner + (foot - corner) * ((f.area.bottom() - corner.y()) / (foot.y() - corner.y())) : foot;
    const QString memory = tr("%1 GB/s").arg(formatNumber(m_ceilings.gigabytesPerSecond, 4));
    painter.save();
    painter.translate(low + (corner - low) * 0.35);
    painter.rotate(slope * 180 / std::acos(-1.0));
    painter.drawText(QRectF(-100, -metrics.height() - 3, 200, metrics.height()), Qt::AlignCenter, memory);
    painter.restore();
}

void RooflinePlot::drawDots(QPainter& painter, const Frame& f, bool interactive) const
{
    const auto& theme = Theme::instance();
    for (int pass = 0; pass < 2; ++pass) // what is selected lies on top
        for (std::size_t i = 0; i < m_dots.size(); ++i) {
            const auto& dot = m_dots[i];
            const bool chosen = interactive && (isSelected(dot) || static_cast<int>(i) == m_hovered);
            if (chosen != (pass == 1))
                continue;
            const QPointF at = place(f, dot.intensity, dot.gflops);
            const QColor ink = theme.seriesColor(kFamilies[familyOf(layer(dot))].series);
            painter.setPen(QPen(dot.measured ? theme.color(Ink::Panel) : ink, dot.measured ? 1 : 1.6));
            painter.setBrush(dot.measured ? ink : theme.color(Ink::Panel));
            if (isCompressed(layer(dot))) { // another shape, not only another place
                constexpr double r = 5.6;
                painter.drawPolygon(QPolygonF{at + QPointF(0, -r), at + QPointF(r, 0), at + QPointF(0, r), at + QPointF(-r, 0)});
            } else {
                painter.drawEllipse(at, 4.8, 4.8);
            }
            if (chosen) {
                painter.setBrush(Qt::NoBrush);
                painter.setPen(QPen(theme.color(isSelected(dot) ? Ink::Text : Ink::MutedText), 1.8));
                painter.drawEllipse(at, 8.5, 8.5);
            }
        }
}

void RooflinePlot::drawLegend(QPainter& painter, const Frame& f) const
{
    const auto& theme = Theme::instance();
    const QFontMetricsF metrics(painter.font());
    double x = f.area.left();
    const double y = metrics.height() / 2 + 5;
    const auto text = [&](const QString& what) {
        painter.setPen(theme.color(Ink::Text));
        painter.drawText(QPointF(x + 14, y + metrics.ascent() / 2 - 1), what);
        x += 14 + metrics.horizontalAdvance(what) + 16;
    };
    bool measured = false, guessed = false, replaced = false;
    std::set<int> families;
    for (const auto& dot : m_dots) {
        families.insert(familyOf(layer(dot)));
        (dot.measured ? measured : guessed) = true;
        replaced = replaced || isCompressed(layer(dot));
    }
    for (const int family : families) {
        painter.setPen(Qt::NoPen);
        painter.setBrush(theme.seriesColor(kFamilies[family].series));
        painter.drawEllipse(QPointF(x + 5, y), 4.5, 4.5);
        text(tr(kFamilies[family].title));
    }
    painter.setPen(QPen(theme.color(Ink::MutedText), 1.6));
    painter.setBrush(Qt::NoBrush);
    if (replaced) {
        painter.drawPolygon(QPolygonF{QPointF(x + 5, y - 5), QPointF(x + 10, y), QPointF(x + 5, y + 5), QPointF(x, y)});
        text(tr("replaced"));
    }
    if (guessed) {
        painter.setPen(QPen(theme.color(Ink::MutedText), 1.6));
        painter.setBrush(Qt::NoBrush);
        painter.drawEllipse(QPointF(x + 5, y), 4.5, 4.5);
        text(measured ? tr("not measured: on the roof") : tr("none measured: on the roof"));
    }
}

void RooflinePlot::drawHover(QPainter& painter, const Frame& f) const
{
    const QStringList lines = hoverLines();
    if (lines.isEmpty())
        return;
    const auto& theme = Theme::instance();
    const auto& dot = m_dots[static_cast<std::size_t>(m_hovered)];
    const QFontMetricsF metrics(painter.font());
    double widest = 0;
    for (const auto& line : lines)
        widest = std::max(widest, metrics.horizontalAdvance(line));
    const QPointF at = place(f, dot.intensity, dot.gflops);
    QRectF box(at.x() + 14, at.y() + 12, widest + 18, metrics.height() * static_cast<double>(lines.size()) + 10);
    if (box.right() > width() - 4)
        box.moveRight(at.x() - 14);
    if (box.bottom() > height() - 4)
        box.moveBottom(height() - 4);
    painter.setPen(theme.color(Ink::Border));
    painter.setBrush(theme.color(Ink::Panel));
    painter.drawRoundedRect(box, 4, 4);
    painter.setPen(theme.color(Ink::Text));
    painter.drawText(box.adjusted(9, 5, -9, -5), Qt::AlignLeft | Qt::AlignTop, lines.join(QLatin1Char('\n')));
}

} // namespace tamis::views
