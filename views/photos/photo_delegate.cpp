// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/photos/photo_delegate.h"

#include "views/common/number_format.h"
#include "views/common/theme.h"
#include "views/photos/photo_model.h"

#include <QPainter>
#include <QPainterPath>

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
constexpr double kPad = 8, kClasses = 5, kBar = 3;
constexpr double kColumn = 168, kNarrowColumn = 132; ///< width of the classes of one model, of each of two

double lineOf(const QFont& font) { return std::ceil(QFontMetricsF(Theme::smallFont(font)).height()); }

void drawText(QPainter* painter, const QRectF& place, int flags, Ink ink, const QString& text)
{
    painter->setPen(Theme::instance().color(ink));
    painter->drawText(place, flags | Qt::TextSingleLine, QFontMetricsF(painter->font()).elidedText(text, Qt::ElideRight, place.width()));
}

/// A tick or a cross in a disc; the shape tells without the colour.
void drawVerdict(QPainter* painter, const QPointF& middle, int verdict)
{
    const auto& theme = Theme::instance();
    painter->setPen(QPen(theme.color(Ink::Panel), 1.5));
    painter->setBrush(theme.color(verdict > 0 ? Ink::Good : Ink::Error));
    painter->drawEllipse(middle, 9, 9);
    painter->setPen(QPen(theme.color(Ink::AccentText), 2, Qt::SolidLine, Qt::RoundCap, Qt::RoundJoin));
    painter->setBrush(Qt::NoBrush);
    if (verdict > 0) {
        painter->drawPolyline(QPolygonF{middle + QPointF(-4, 0.5), middle + QPointF(-1, 3.5), middle + QPointF(4, -3)});
    } else {
        painter->drawLine(middle + QPointF(-3, -3), middle + QPointF(3, 3));
        painter->drawLine(middle + QPointF(-3, 3), middle + QPointF(3, -3));
    }
}

QRectF drawBadge(QPainter* painter, const QPointF& topRight, const QString& text, Ink ink)
{
    const auto& theme = Theme::instance();
    const QFontMetricsF metrics(painter->font());
    QRectF box(0, 0, metrics.horizontalAdvance(text) + 12, metrics.height() + 2);
    box.moveTopRight(topRight);
    painter->setPen(Qt::NoPen);
    painter->setBrush(theme.color(ink));
    painter->drawRoundedRect(box, box.height() / 2, box.height() / 2);
    painter->setPen(theme.color(Ink::AccentText));
    painter->drawText(box, Qt::AlignCenter, text);
    return box;
}
} // namespace

QSize PhotoDelegate::sizeHint(const QStyleOptionViewItem& option, const QModelIndex&) const
{
    const double line = lineOf(option.font);
    if (m_compact)
        return QSizeF(m_side + 2 * kPad, m_side + 2 * line + 3 * kPad).toSize();
    const double columns = m_comparing ? 2 * kNarrowColumn + kPad : kColumn;
    const double classes = (m_comparing ? line + 2 : 0) + kClasses * (line + kBar + 3);
    return QSizeF(m_width > 0 ? m_width : m_side + 3 * kPad + columns + 8, std::max(m_side + line + kPad, classes) + line + 3 * kPad + 8).toSize();
}

void PhotoDelegate::paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const
{
    const auto& theme = Theme::instance();
    painter->save();
    painter->setRenderHints(QPainter::Antialiasing | QPainter::SmoothPixmapTransform);
    painter->setFont(Theme::smallFont(option.font));
    const QRectF card = QRectF(option.rect).adjusted(4, 4, -4, -4);
    const bool selected = option.state.testFlag(QStyle::State_Selected), focused = option.state.testFlag(QStyle::State_HasFocus);
    painter->setPen(QPen(theme.color(focused ? Ink::Accent : Ink::Border), focused ? 2 : 1));
    painter->setBrush(theme.color(selected ? Ink::Selection : option.state.testFlag(QStyle::State_MouseOver) ? Ink::Grid : Ink::Panel));
    painter->drawRoundedRect(card, 6, 6);
    m_compact ? paintCompact(painter, option, card, index) : paintCard(painter, option, card, index);
    painter->restore();
}

void PhotoDelegate::paintPicture(QPainter* painter, const QRectF& place, const QModelIndex& index) const
{
    const auto& theme = Theme::instance();
    const QImage image = index.data(PhotoModel::ThumbnailRole).value<QImage>();
    if (image.isNull()) {
        const QString failure = index.data(PhotoModel::FailureRole).toString();
        painter->setPen(Qt::NoPen);
        painter->setBrush(theme.color(Ink::Grid));
        painter->drawRoundedRect(place, 4, 4);
        painter->setPen(theme.color(failure.isEmpty() ? Ink::MutedText : Ink::Error));
        painter->drawText(place.adjusted(6, 6, -6, -6), Qt::AlignCenter | Qt::TextWordWrap, failure.isEmpty() ? tr("…") : tr("not readable"));
    } else {
        QSizeF size = QSizeF(image.size()).scaled(place.size(), Qt::KeepAspectRatio);
        QRectF shown(QPointF(), size);
        shown.moveCenter(place.center());
        QPainterPath clip;
        clip.addRoundedRect(shown, 4, 4);
        painter->save();
        painter->setClipPath(clip, Qt::IntersectClip);
        // Small pictures keep their pixels: enlarged smoothly they would look like photos that the model never saw.
        painter->setRenderHint(QPainter::SmoothPixmapTransform, image.width() > size.width() || size.width() < 3 * image.width());
        painter->drawImage(shown, image);
        painter->restore();
    }
    if (const int verdict = index.data(PhotoModel::VerdictRole).toInt(); verdict != 0)
        drawVerdict(painter, place.topLeft() + QPointF(12, 12), verdict);
}

void PhotoDelegate::paintCompact(QPainter* painter, const QStyleOptionViewItem& option, const QRectF& card, const QModelIndex& index) const
{
    const double line = lineOf(option.font), side = card.width() - 2 * kPad + 4;
    const QRectF place(card.center().x() - side / 2, card.top() + kPad / 2 + 1, side, side);
    paintPicture(painter, place, index);
    const QVariantList before = index.data(PhotoModel::PredictionsRole).toList(), now = index.data(PhotoModel::CompressedRole).toList();
    const auto& shown = now.isEmpty() ? before : now;
    const QRectF first(card.left() + 5, place.bottom() + 4, card.width() - 10, line);
    drawText(painter, first, Qt::AlignHCenter, Ink::Text, shown.isEmpty() ? index.data().toString() : shown.first().toMap().value(QStringLiteral("name")).toString());
    if (!shown.isEmpty())
        drawText(painter, first.translated(0, line), Qt::AlignHCenter, Ink::MutedText, formatPercent(shown.first().toMap().value(QStringLiteral("probability")).toDouble(), 0));
    if (index.data(PhotoModel::ChangedRole).toBool())
        drawBadge(painter, place.topRight() + QPointF(-3, 3), tr("changed"), Ink::HeldOut);
}

void PhotoDelegate::paintCard(QPainter* painter, const QStyleOptionViewItem& option, const QRectF& card, const QModelIndex& index) const
{
    const double line = lineOf(option.font);
    const QRectF inner = card.adjusted(kPad, kPad, -kPad, -kPad);
    QFont strong = painter->font();
    strong.setWeight(QFont::DemiBold);
    double right = inner.right();
    if (index.data(PhotoModel::ChangedRole).toBool())
        right = drawBadge(painter, inner.topRight(), tr("changed"), Ink::HeldOut).left() - 6;
    const QFont plain = painter->font();
    painter->setFont(strong);
    const QString label = index.data(PhotoModel::LabelRole).toString();
    drawText(painter, QRectF(inner.left(), inner.top(), right - inner.left(), line), Qt::AlignLeft | Qt::AlignVCenter, Ink::Text, index.data().toString());
    painter->setFont(plain);
    const QRectF picture(inner.left(), inner.top() + line + 6, m_side, m_side);
    paintPicture(painter, picture, index);
    const QString below = !index.data(PhotoModel::CreditRole).toString().isEmpty() ? index.data(PhotoModel::CreditRole).toString() : QString();
    const QRectF foot(inner.left(), inner.bottom() - line, inner.width(), line);
    const double half = label.isEmpty() ? 0 : std::min(foot.width() / 2, QFontMetricsF(plain).horizontalAdvance(tr("label: %1").arg(label)) + 12);
    if (!label.isEmpty())
        drawText(painter, foot, Qt::AlignLeft | Qt::AlignVCenter, Ink::Text, tr("label: %1").arg(label));
    drawText(painter, foot.adjusted(half, 0, 0, 0), Qt::AlignRight | Qt::AlignVCenter, Ink::MutedText, below);
    QRectF classes(picture.right() + kPad, picture.top(), inner.right() - picture.right() - kPad, foot.top() - picture.top());
    const QVariantList before = index.data(PhotoModel::PredictionsRole).toList(), now = index.data(PhotoModel::CompressedRole).toList();
    if (before.isEmpty()) {
        drawText(painter, classes, Qt::AlignLeft | Qt::AlignTop, Ink::MutedText, tr("no prediction yet"));
        return;
    }
    if (m_comparing) {
        const QRectF left(classes.left(), classes.top(), (classes.width() - kPad) / 2, classes.height());
        paintClasses(painter, left, before, tr("dense"), false);
        paintClasses(painter, left.translated(left.width() + kPad, 0), now, tr("compressed"), true);
    } else {
        paintClasses(painter, classes, before, {}, false);
    }
}

void PhotoDelegate::paintClasses(QPainter* painter, const QRectF& place, const QVariantList& classes, const QString& title, bool compressed) const
{
    const auto& theme = Theme::instance();
    const double line = std::ceil(QFontMetricsF(painter->font()).height());
    double y = place.top();
    if (!title.isEmpty()) {
        drawText(painter, QRectF(place.left(), y, place.width(), line), Qt::AlignLeft, compressed ? Ink::HeldOut : Ink::Accent, title);
        y += line + 2;
    }
    const QFont plain = painter->font();
    QFont strong = plain;
    strong.setWeight(QFont::DemiBold);
    const double step = std::clamp((place.bottom() - y) / kClasses, line + kBar + 3, line + kBar + 8);
    for (const QVariant& one : classes) {
        const auto map = one.toMap();
        const double probability = std::clamp(map.value(QStringLiteral("probability")).toDouble(), 0.0, 1.0);
        const bool right = map.value(QStringLiteral("right")).toBool();
        const QString number = formatPercent(probability, probability < 0.0995 ? 1 : 0);
        const QRectF row(place.left(), y, place.width(), line);
        const double width = QFontMetricsF(plain).horizontalAdvance(number);
        drawText(painter, row, Qt::AlignRight | Qt::AlignVCenter, Ink::MutedText, number);
        painter->setFont(right ? strong : plain);
        drawText(painter, row.adjusted(0, 0, -width - 6, 0), Qt::AlignLeft | Qt::AlignVCenter, right ? Ink::Good : Ink::Text, map.value(QStringLiteral("name")).toString());
        painter->setFont(plain);
        QRectF bar(place.left(), y + line, place.width(), kBar);
        painter->setPen(Qt::NoPen);
        painter->setBrush(theme.color(Ink::Grid));
        painter->drawRoundedRect(bar, kBar / 2, kBar / 2);
        bar.setWidth(probability * place.width());
        painter->setBrush(theme.color(compressed ? Ink::HeldOut : Ink::Accent));
        if (bar.width() > 0)
            painter->drawRoundedRect(bar, kBar / 2, kBar / 2);
        y += step;
    }
}

} // namespace tamis::views
