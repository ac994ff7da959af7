// SPDX-License-Identifier: GPL-3.0-or-later
// How a LatentSampleView looks: head, marks, colour bar, legend.
#include "views/common/number_format.h"
#include "views/common/plot_paint.h"
#include "views/common/theme.h"
#include "views/encoder/latent_sample_view.h"

#include <QPainter>

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
constexpr double kMargin = 12, kBarWidth = 12, kHatchStep = 6;

/// A dot that is seen on any ground.
void drawDot(QPainter& painter, const QPointF& middle, double radius)
{
    const auto& theme = Theme::instance();
    painter.setPen(QPen(theme.color(Ink::Panel), 1.5));
    painter.setBrush(theme.color(Ink::Warning));
    painter.drawEllipse(middle, radius, radius);
}

void drawOutline(QPainter& painter, const QRectF& area, Ink ink, double width)
{
    const auto& theme = Theme::instance();
    painter.setBrush(Qt::NoBrush);
    painter.setPen(QPen(theme.color(Ink::Panel), width + 2.5));
    painter.drawRect(area);
    painter.setPen(QPen(theme.color(ink), width));
    painter.drawRect(area);
}
} // namespace

void drawHatch(QPainter& painter, const QRectF& area, const QColor& color)
{
    painter.save();
    painter.setClipRect(area, Qt::IntersectClip);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(QPen(color, 1.6));
    const double height = area.height();
    // The same phase everywhere, so that neighbours are hatched as one.
    const double first = std::floor((area.left() - area.bottom()) / kHatchStep) * kHatchStep;
    for (double along = first; along < area.right() - area.top() + kHatchStep; along += kHatchStep)
        painter.drawLine(QPointF(along + area.top(), area.top()), QPointF(along + area.top() + height, area.top() + height));
    painter.restore();
}

QRectF LatentSampleView::room() const
{
    const QFontMetricsF metrics(Theme::smallFont(font()));
    const double bar = 14 + kBarWidth + 7 + metrics.horizontalAdvance(QStringLiteral("0.0005"));
    const double top = 2 * metrics.height() + 18, bottom = metrics.height() + 16;
    return {kMargin, top, std::max(width() - 2 * kMargin - bar, 20.0), std::max(height() - top - bottom, 20.0)};
}

QRectF LatentSampleView::barRect() const
{
    const QFontMetricsF metrics(Theme::smallFont(font()));
    const QRectF area = room();
    const double top = area.top() + metrics.height() + 4;
    return {ground().right() + 14, top, kBarWidth, std::max(std::min(area.bottom() - top, 260.0), 20.0)};
}

void LatentSampleView::paintEvent(QPaintEvent*)
{
    QPainter painter(this);
    draw(painter, true);
}

void LatentSampleView::paintFigure(QPainter& painter) const { draw(painter, false); }

void LatentSampleView::draw(QPainter& painter, bool interactive) const
{
    const auto& theme = Theme::instance();
    painter.fillRect(rect(), theme.color(Ink::Panel));
    painter.setFont(Theme::smallFont(font()));
    if (!sample()) {
        painter.setPen(theme.color(Ink::MutedText));
        painter.drawText(rect().adjusted(16, 16, -16, -16), Qt::AlignCenter | Qt::TextWordWrap, tr("No sample is shown."));
        return;
    }
    drawGround(painter);
    for (int at = 0; at < tokens(); ++at)
        drawToken(painter, at);
    drawMarks(painter, interactive);
    drawHead(painter);
    if (!m_map.exact.empty()) {
        drawBar(painter);
        drawLegend(painter);
    }
    painter.setRenderHint(QPainter::Antialiasing);
    if (interactive && m_stale)
        drawTag(painter, QRectF(rect()).adjusted(8, 8, -8, -8), {rect().width() - 60.0, 0}, tr("of older settings"), Ink::Stale);
    if (interactive && m_hovered)
        drawHoverBox(painter, rect(), m_pointer, hoverLines());
    if (interactive && hasFocus())
        drawFocus(painter, rect());
}

void LatentSampleView::drawHead(QPainter& painter) const
{
    const auto& theme = Theme::instance();
    painter.save();
    QFont bold = painter.font();
    bold.setWeight(QFont::DemiBold);
    const QFontMetricsF wide(bold), metrics(painter.font());
    const QRectF line(kMargin, 7, width() - 2 * kMargin, metrics.height());
    QString name = QString::fromStdString(sample()->name);
    painter.setPen(theme.color(Ink::Text));
    painter.setFont(bold);
    name = wide.elidedText(name, Qt::ElideMiddle, line.width());
    painter.drawText(line, Qt::AlignLeft | Qt::AlignVCenter, name);
    painter.setFont(Theme::smallFont(font()));
    QString state = m_latents ? tr("no latent is chosen") : tr("not encoded yet");
    if (!m_map.exact.empty()) {
        state = m_map.fires == 0 ? tr("latent %1 fires nowhere here").arg(m_latent) : tr("latent %1 fires in %2 of %3 tokens").arg(m_latent).arg(m_map.fires).arg(m_map.exact.size());
        if (m_map.fires > 0)
            state += m_map.missing == 0 ? tr(", all found") : tr(", missed in %1").arg(m_map.missing);
        if (m_map.alone > 0)
            state += tr(", in %1 only by the encoder").arg(m_map.alone);
    }
    painter.setPen(theme.color(m_map.missing > 0 ? Ink::Loss : Ink::MutedText));
    painter.drawText(line.translated(0, metrics.height() + 3), Qt::AlignLeft | Qt::AlignVCenter, metrics.elidedText(state, Qt::ElideRight, line.width()));
    painter.restore();
}

void LatentSampleView::drawMarks(QPainter& painter, bool interactive) const
{
    const auto& theme = Theme::instance();
    painter.save();
    for (int at = 0; at < static_cast<int>(m_map.exact.size()); ++at) {
        const auto i = static_cast<std::size_t>(at);
        const QRectF area = tokenRect(at);
        if (area.isEmpty())
            continue;
        if (m_map.missed[i]) {
            QColor lines = theme.textOn(tokenColor(at));
            lines.setAlphaF(hatching());
            drawHatch(painter, area, lines);
        }
        if (m_map.exact[i] <= 0 && m_map.returned[i] > 0) {
            painter.setRenderHint(QPainter::Antialiasing);
            drawDot(painter, area.center(), std::clamp(area.height() / 6, 2.0, 4.0));
            painter.setRenderHint(QPainter::Antialiasing, false);
        }
    }
    for (int at = 0; at < tokens(); ++at)
        drawWords(painter, at);
    painter.setRenderHint(QPainter::Antialiasing);
    if (interactive && m_hovered)
        if (const QRectF area = tokenRect(*m_hovered); !area.isEmpty())
            drawOutline(painter, area, Ink::Text, 1);
    if (const QRectF area = tokenRect(m_current); m_current >= 0 && !area.isEmpty())
        drawOutline(painter, area, Ink::Accent, 2);
    painter.restore();
}

void LatentSampleView::drawBar(QPainter& painter) const
{
    const auto& theme = Theme::instance();
    const QFontMetricsF metrics(painter.font());
    const QRectF bar = barRect();
    painter.save();
    painter.setRenderHint(QPainter::Antialiasing, false);
    painter.setPen(theme.color(Ink::Text));
    painter.drawText(QRectF(bar.left(), room().top() - 1, width() - bar.left() - 4, metrics.height()), Qt::AlignLeft | Qt::AlignVCenter, tr("value"));
    if (m_map.fires > 0) {
        QLinearGradient gradient(bar.bottomLeft(), bar.topLeft());
        for (int i = 0; i <= 32; ++i)
            gradient.setColorAt(i / 32.0, Theme::sequentialColor(i / 32.0));
        painter.setBrush(gradient);
    }
    painter.setPen(QPen(theme.color(Ink::Border), 1));
    painter.drawRect(bar);
    painter.setPen(theme.color(Ink::MutedText));
    const double most = static_cast<double>(m_map.most);
    const int parts = std::max(2, static_cast<int>(bar.height() / (2.4 * metrics.height())));
    for (const double value : m_map.fires > 0 && most > 0 ? linearTicks(0, most, parts) : std::vector<double>()) {
        const double y = bar.bottom() - value / most * bar.height();
        painter.drawLine(QPointF(bar.right(), y), QPointF(bar.right() + 3, y));
        painter.drawText(QRectF(bar.right() + 6, y - metrics.height() / 2, width() - bar.right() - 6, metrics.height()), Qt::AlignLeft | Qt::AlignVCenter, formatNumber(value, 3));
    }
    painter.restore();
}

void LatentSampleView::drawLegend(QPainter& painter) const
{
    const auto& theme = Theme::instance();
    const QFontMetricsF metrics(painter.font());
    const double y = height() - metrics.height() - 8, side = metrics.height() - 3;
    double x = kMargin;
    painter.save();
    painter.setRenderHint(QPainter::Antialiasing);
    const auto entry = [&](const QString& words, const auto& mark) {
        const QRectF swatch(x + 1, y + 1, side, side);
        if (swatch.right() + 6 + metrics.horizontalAdvance(words) > width() - kMargin)
            return;
        mark(swatch);
        painter.setPen(theme.color(Ink::MutedText));
        painter.drawText(QRectF(swatch.right() + 6, y, metrics.horizontalAdvance(words) + 2, metrics.height()), Qt::AlignLeft | Qt::AlignVCenter, words);
        x = swatch.right() + 6 + metrics.horizontalAdvance(words) + 18;
    };
    entry(tr("current token"), [&](const QRectF& area) { drawOutline(painter, area.adjusted(1, 1, -1, -1), Ink::Accent, 2); });
    entry(tr("fires and is missed"), [&](const QRectF& area) {
        painter.fillRect(area, Theme::sequentialColor(0.6));
        drawHatch(painter, area, theme.textOn(Theme::sequentialColor(0.6)));
    });
    entry(tr("only the encoder has it"), [&](const QRectF& area) { drawDot(painter, area.center(), 3.5); });
    painter.restore();
}

} // namespace tamis::views
