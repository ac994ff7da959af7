// SPDX-License-Identifier: GPL-3.0-or-later
// How LayerChain draws its boxes.
#include "views/common/number_format.h"
#include "views/common/theme.h"
#include "views/model/layer_chain.h"

#include <QPainter>
#include <QPainterPath>

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
constexpr double kRadius = 4, kBar = 3, kPad = 6;

QColor mixed(const QColor& a, const QColor& b, double share)
{
    const auto mix = [&](int x, int y) { return static_cast<int>(std::lround(x + share * (y - x))); };
    return QColor(mix(a.red(), b.red()), mix(a.green(), b.green()), mix(a.blue(), b.blue()));
}

/// What the eye should tell apart: a merge points on, an attention is round, the rest are boxes.
QPainterPath outlineOf(const report::LayerCost& layer, const QRectF& rect)
{
    QPainterPath path;
    if (layer.kind == "merge") {
        const QPointF cut(rect.height() / 4, 0);
        path.addPolygon(QPolygonF{rect.topLeft(), rect.topRight() - cut, QPointF(rect.right(), rect.center().y()), rect.bottomRight() - cut,
                                  rect.bottomLeft()});
        path.closeSubpath();
    } else {
        const double radius = layer.kind == "attention" ? rect.height() / 2 : layer.form.empty() ? rect.height() / 4 : kRadius;
        path.addRoundedRect(rect, radius, radius);
    }
    return path;
}
} // namespace

struct LayerChain::Look {
    const Theme& theme = Theme::instance();
    QFont small, strong;
    QFontMetricsF metrics;
    double line;
    bool interactive; ///< hover, selection and focus are drawn

    Look(const QFont& base, double lineHeight, bool live) : small(Theme::smallFont(base)), strong(small), metrics(small), line(lineHeight), interactive(live)
    {
        strong.setWeight(QFont::DemiBold);
    }
    QColor color(Ink ink) const { return theme.color(ink); }
    void text(QPainter& painter, const QRectF& place, int flags, Ink ink, const QString& what, bool heavy = false) const
    {
        painter.setFont(heavy ? strong : small);
        painter.setPen(color(ink));
        painter.drawText(place, flags | Qt::TextSingleLine, QFontMetricsF(painter.font()).elidedText(what, Qt::ElideRight, place.width() + 0.5));
    }
    double width(const QString& what) const { return metrics.horizontalAdvance(what); }
};

void LayerChain::paintEvent(QPaintEvent*)
{
    QPainter painter(viewport());
    painter.fillRect(viewport()->rect(), Theme::instance().color(Ink::Panel));
    if (m_layout.boxes.empty()) {
        painter.setPen(Theme::instance().color(Ink::MutedText));
        painter.drawText(viewport()->rect().adjusted(24, 24, -24, -24), Qt::AlignCenter | Qt::TextWordWrap, m_emptyText);
    } else {
        painter.translate(origin());
        painter.scale(m_zoom, m_zoom);
        drawChain(painter, QRectF(toChain({0, 0}), toChain({viewport()->width() * 1.0, viewport()->height() * 1.0})), true);
        painter.resetTransform();
    }
    if (hasFocus()) {
        painter.setRenderHint(QPainter::Antialiasing, false);
        painter.setBrush(Qt::NoBrush);
        painter.setPen(QPen(Theme::instance().color(Ink::Accent), 1));
        painter.drawRect(viewport()->rect().adjusted(0, 0, -1, -1));
    }
}

QSize LayerChain::figureSize() const { return m_layout.size.toSize(); }

void LayerChain::paintFigure(QPainter& painter) const
{
    painter.fillRect(QRectF(QPointF(0, 0), m_layout.size), Theme::instance().color(Ink::Panel));
    drawChain(painter, QRectF(QPointF(0, 0), m_layout.size), false);
}

void LayerChain::drawChain(QPainter& painter, const QRectF& visible, bool interactive) const
{
    painter.setRenderHint(QPainter::Antialiasing);
    const Look look(font(), lineHeight(), interactive);
    drawArrows(painter, look);
    for (const auto& column : m_layout.columns)
        if (!column.frame.isNull() && column.frame.adjusted(-8, -8, 8, 8).intersects(visible))
            drawColumn(painter, look, column);
    for (std::size_t i = 0; i < m_layout.boxes.size(); ++i) {
        const auto& box = m_layout.boxes[i];
        if (!box.rect.intersects(visible))
            continue;
        switch (box.kind) {
        case ChainBox::Kind::Header: drawHeader(painter, look, static_cast<int>(i)); break;
        case ChainBox::Kind::Block: drawBlock(painter, look, static_cast<int>(i)); break;
        case ChainBox::Kind::Layer: drawLayer(painter, look, static_cast<int>(i)); break;
        }
    }
}

void LayerChain::drawArrows(QPainter& painter, const Look& look) const
{
    const double y = m_layout.size.height() / 2;
    for (std::size_t i = 1; i < m_layout.columns.size(); ++i) {
        const double from = m_layout.columns[i - 1].content.right() + (m_layout.columns[i - 1].repeated ? 8 : 3);
        const double to = m_layout.columns[i].content.left() - 3;
        if (to - from < 6)
            continue; // folded blocks stand close
        painter.setPen(QPen(look.color(Ink::Outline), 1.4));
        painter.drawLine(QPointF(from, y), QPointF(to - 5, y));
        painter.setPen(Qt::NoPen);
        painter.setBrush(look.color(Ink::Outline));
        painter.drawPolygon(QPolygonF{QPointF(to, y), QPointF(to - 6, y - 3.5), QPointF(to - 6, y + 3.5)});
    }
}

void LayerChain::drawColumn(QPainter& painter, const Look& look, const ChainColumn& column) const
{
    painter.setPen(QPen(look.color(Ink::Border), 1));
    painter.setBrush(look.color(Ink::Window));
    for (int behind = column.repeated ? 2 : 0; behind >= 0; --behind)
        painter.drawRoundedRect(column.frame.translated(3 * behind, 3 * behind), 6, 6);
    if (column.folded)
        return;
    // The stream runs down the middle of the boxes; the branches are added back along the left edge.
    double top = column.frame.bottom(), bottom = column.frame.top(), middle = column.frame.center().x();
    for (const auto& box : m_layout.boxes)
        if (box.kind == ChainBox::Kind::Layer && column.frame.contains(box.rect.center())) {
            top = std::min(top, box.rect.top());
            bottom = std::max(bottom, box.rect.bottom());
            if (box.rect.width() > column.frame.width() / 2)
                middle = box.rect.center().x();
        }
    painter.setPen(QPen(look.color(Ink::Outline), 1.4));
    painter.drawLine(QPointF(middle, top - 5), QPointF(middle, bottom + 5));
    painter.setBrush(Qt::NoBrush);
    for (const auto& arc : column.arcs) {
        const double left = arc.x - 0.75 * look.line, bend = 0.45 * look.line;
        QPainterPath path(QPointF(middle, arc.top));
        path.lineTo(left + bend, arc.top);
        path.quadTo(left, arc.top, left, arc.top + bend);
        path.lineTo(left, arc.bottom - bend);
        path.quadTo(left, arc.bottom, left + bend, arc.bottom);
        path.lineTo(middle, arc.bottom);
        painter.drawPath(path);
    }
    painter.setBrush(look.color(Ink::Panel));
    for (const auto& arc : column.arcs)
        painter.drawEllipse(QPointF(middle, arc.bottom), 2.6, 2.6); // the sum
}

void LayerChain::drawHeader(QPainter& painter, const Look& look, int index) const
{
    const auto& box = m_layout.boxes[static_cast<std::size_t>(index)];
    const auto& column = m_layout.columns[static_cast<std::size_t>(box.column)];
    const bool current = look.interactive && hasFocus() && index == m_current;
    if (look.interactive && (index == m_hovered || isSelected(box) || current)) {
        painter.setPen(current ? QPen(look.color(Ink::Accent), 1.6) : QPen(Qt::NoPen));
        painter.setBrush(isSelected(box) ? look.color(Ink::Selection) : look.color(Ink::Grid));
        painter.drawRoundedRect(box.rect.adjusted(2, 2, -2, 0), kRadius, kRadius);
    }
    const double t = 0.28 * look.line;
    const QPointF at(column.frame.left() + (column.folded ? 0.6 : 0.9) * look.line, box.rect.center().y() + 0.5);
    const bool closed = column.folded || column.repeated;
    painter.setPen(Qt::NoPen);
    painter.setBrush(look.color(Ink::MutedText));
    painter.drawPolygon(closed ? QPolygonF{at + QPointF(-0.7 * t, -t), at + QPointF(0.9 * t, 0), at + QPointF(-0.7 * t, t)}
                               : QPolygonF{at + QPointF(-t, -0.7 * t), at + QPointF(t, -0.7 * t), at + QPointF(0, 0.9 * t)});
    const QRectF place = box.rect.adjusted((column.folded ? 1.1 : 1.6) * look.line, 0, -8, 0);
    if (column.folded) {
        look.text(painter, place, Qt::AlignLeft | Qt::AlignVCenter, Ink::Text, QString::number(column.firstBlock), true);
        return;
    }
    const QString name = column.repeated ? tr("blocks %1–%2  × %3").arg(column.firstBlock).arg(column.lastBlock).arg(column.lastBlock - column.firstBlock + 1)
                                         : tr("block %1").arg(column.firstBlock);
    const QString value = formatMeasure(m_measure, boxValue(index));
    look.text(painter, place, Qt::AlignRight | Qt::AlignVCenter, Ink::MutedText, value);
    look.text(painter, place.adjusted(0, 0, -look.width(value) - 6, 0), Qt::AlignLeft | Qt::AlignVCenter, Ink::Text, name, true);
}

void LayerChain::drawBlock(QPainter& painter, const Look& look, int index) const
{
    const auto& box = m_layout.boxes[static_cast<std::size_t>(index)];
    const bool replaced = std::any_of(box.layers.begin(), box.layers.end(), [&](int i) { return isCompressed(m_report->layers[static_cast<std::size_t>(i)]); });
    const bool selected = look.interactive && isSelected(box), current = look.interactive && hasFocus() && index == m_current;
    const double value = boxValue(index);
    const double share = m_largestBlock > 0 && std::isfinite(value) ? value / m_largestBlock : 0;
    const Ink ink = replaced ? Ink::HeldOut : Ink::Accent;
    painter.setPen(selected || current ? QPen(look.color(Ink::Accent), 2) : QPen(look.color(replaced ? Ink::HeldOut : Ink::Outline), 1));
    painter.setBrush(look.color(selected || (look.interactive && index == m_hovered) ? Ink::Selection : Ink::Panel));
    painter.drawRoundedRect(box.rect, kRadius, kRadius);
    // A column of the cost, from the foot.
    QRectF track = box.rect.adjusted(5, 5, -5, -look.line - 6);
    painter.setPen(Qt::NoPen);
    painter.setBrush(look.color(Ink::Grid));
    painter.drawRoundedRect(track, 2, 2);
    track.setTop(track.bottom() - share * track.height());
    painter.setBrush(look.color(ink));
    painter.drawRoundedRect(track, 2, 2);
    const QString text = formatMeasure(m_measure, value).remove(QChar(0x202f));
    look.text(painter, QRectF(box.rect.left(), box.rect.bottom() - look.line - 4, box.rect.width(), look.line), Qt::AlignCenter, Ink::MutedText, text);
}

void LayerChain::drawLayer(QPainter& painter, const Look& look, int index) const
{
    const auto& box = m_layout.boxes[static_cast<std::size_t>(index)];
    const auto& own = layer(box);
    const bool replaced = std::any_of(box.layers.begin(), box.layers.end(), [&](int i) { return isCompressed(m_report->layers[static_cast<std::size_t>(i)]); });
    const bool selected = look.interactive && isSelected(box), current = look.interactive && hasFocus() && index == m_current;
    const double value = boxValue(index);
    const double share = m_largestLayer > 0 && std::isfinite(value) ? std::clamp(value / m_largestLayer, 0.0, 1.0) : 0;
    const QColor tone = look.color(replaced ? Ink::HeldOut : Ink::Accent);
    const QPainterPath outline = outlineOf(own, box.rect);
    const QColor ground = selected ? look.color(Ink::Selection) : mixed(look.color(Ink::Panel), tone, 0.16 * share + (look.interactive && index == m_hovered ? 0.06 : 0));
    painter.fillPath(outline, ground);
    const bool slim = box.rect.height() < 2 * look.line;
    painter.save();
    painter.setClipPath(outline, Qt::IntersectClip);
    if (!slim) {
        const QRectF track(box.rect.left(), box.rect.bottom() - kBar, box.rect.width(), kBar);
        painter.fillRect(track, look.color(Ink::Grid));
        painter.fillRect(QRectF(track.left(), track.top(), share * track.width(), kBar), tone);
    }
    if (replaced)
        painter.fillRect(QRectF(box.rect.left(), box.rect.top(), 4, box.rect.height()), tone);
    painter.restore();
    painter.setBrush(Qt::NoBrush);
    painter.setPen(selected || current ? QPen(look.color(Ink::Accent), 2) : QPen(replaced ? tone : look.color(slim ? Ink::Border : Ink::Outline), 1));
    painter.drawPath(outline);
    if (current) {
        painter.setPen(QPen(look.color(Ink::Accent), 1, Qt::DotLine));
        painter.drawPath(outlineOf(own, box.rect.adjusted(-3, -3, 3, 3)));
    }
    drawLayerTexts(painter, look, index);
}

void LayerChain::drawLayerTexts(QPainter& painter, const Look& look, int index) const
{
    const auto& box = m_layout.boxes[static_cast<std::size_t>(index)];
    const auto& own = layer(box);
    const bool round = own.kind == "attention", slim = box.rect.height() < 2 * look.line;
    const double pad = round ? 14 : slim ? kPad + 2 : box.rect.width() < 6 * look.line ? kPad - 1 : kPad + 3;
    const QRectF inner = box.rect.adjusted(pad, 1, -pad, -1);
    const QString name = shortLayerName(own), value = formatMeasure(m_measure, boxValue(index));
    if (slim) {
        look.text(painter, inner, Qt::AlignLeft | Qt::AlignVCenter, Ink::MutedText, name);
        return;
    }
    const QRectF first(inner.left(), inner.top() + 1, inner.width(), look.line), second(inner.left(), first.bottom(), inner.width(), look.line);
    if (inner.width() < 6 * look.line) { // side by side: only what fits
        const QString role = QString::fromStdString(own.role);
        look.text(painter, first, Qt::AlignLeft | Qt::AlignVCenter, Ink::Text, look.width(name.section(QLatin1Char('.'), -1)) <= first.width() ? name.section(QLatin1Char('.'), -1) : role);
        const QString out = own.outputShape.empty() ? QString() : QString::number(own.outputShape.back());
        QString shape = shapeText(own);
        for (const QString& shorter : {QStringLiteral("→ ") + out, out})
            if (look.width(shape) > second.width())
                shape = shorter;
        look.text(painter, second, Qt::AlignLeft | Qt::AlignVCenter, Ink::MutedText, shape);
        return;
    }
    QString note;
    if (isCompressed(own))
        note = own.rank > 0 ? tr("%1 r=%2").arg(QString::fromStdString(own.form)).arg(own.rank) : QString::fromStdString(own.form);
    else if (own.kind == "attention")
        note = QString::fromStdString(own.form);
    const double noteWidth = std::min(look.width(note), 0.62 * first.width());
    look.text(painter, first.adjusted(first.width() - noteWidth, 0, 0, 0), Qt::AlignRight | Qt::AlignVCenter, isCompressed(own) ? Ink::HeldOut : Ink::MutedText, note);
    look.text(painter, first.adjusted(0, 0, note.isEmpty() ? 0 : -noteWidth - 6, 0), Qt::AlignLeft | Qt::AlignVCenter, Ink::Text, name);
    look.text(painter, second, Qt::AlignRight | Qt::AlignVCenter, Ink::MutedText, value);
    look.text(painter, second.adjusted(0, 0, -look.width(value) - 6, 0), Qt::AlignLeft | Qt::AlignVCenter, Ink::MutedText, shapeText(own));
}

} // namespace tamis::views
