// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/common/inline_bar_delegate.h"

#include "views/common/icons.h"
#include "views/common/theme.h"

#include <QApplication>
#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
constexpr int kBarHeight = 3;
constexpr int kIconSide = 16;

/// Background, selection and focus as the style draws them, without text.
void paintCell(QPainter* painter, QStyleOptionViewItem& option)
{
    const QWidget* widget = option.widget;
    QStyle* style = widget ? widget->style() : QApplication::style();
    option.text.clear();
    option.icon = {};
    option.features &= ~(QStyleOptionViewItem::HasCheckIndicator | QStyleOptionViewItem::HasDecoration);
    style->drawControl(QStyle::CE_ItemViewItem, &option, painter, widget);
}
} // namespace

void InlineBarDelegate::paint(QPainter* painter, const QStyleOptionViewItem& given, const QModelIndex& index) const
{
    QStyleOptionViewItem option = given;
    initStyleOption(&option, index);
    const QString text = option.text;
    paintCell(painter, option);

    const Theme& theme = Theme::instance();
    const bool selected = option.state.testFlag(QStyle::State_Selected);
    const QRect inner = option.rect.adjusted(Theme::kSpacing, 0, -Theme::kSpacing, 0);
    bool hasBar = false;
    const double given01 = index.data(kFractionRole).toDouble(&hasBar);
    hasBar = hasBar && std::isfinite(given01);
    painter->save();
    painter->setRenderHint(QPainter::Antialiasing);
    if (hasBar) {
        const QRectF track(inner.left(), option.rect.bottom() - kBarHeight - 2, inner.width(), kBarHeight);
        bool hasTone = false;
        const int tone = index.data(kToneRole).toInt(&hasTone);
        const QColor ink = theme.color(hasTone ? static_cast<Ink>(tone) : Ink::Accent);
        const QColor ground = theme.color(selected ? Ink::Panel : Ink::Grid);
        painter->setPen(Qt::NoPen);
        painter->setBrush(ground);
        painter->drawRoundedRect(track, kBarHeight / 2.0, kBarHeight / 2.0);
        QRectF bar = track;
        bar.setWidth(track.width() * std::clamp(given01, 0.0, 1.0));
        painter->setBrush(ink);
        if (bar.width() > 0)
            painter->drawRoundedRect(bar, kBarHeight / 2.0, kBarHeight / 2.0);
    }
    QColor ink = theme.color(option.state.testFlag(QStyle::State_Enabled) ? Ink::Text : Ink::Baseline);
    if (const QVariant own = index.data(Qt::ForegroundRole); own.isValid())
        ink = own.value<QBrush>().color();
    painter->setPen(ink);
    painter->setFont(option.font);
    const QRect place = hasBar ? inner.adjusted(0, 0, 0, -kBarHeight - 1) : inner;
    painter->drawText(place, Qt::AlignRight | Qt::AlignVCenter | Qt::TextSingleLine,
                      option.fontMetrics.elidedText(text, Qt::ElideLeft, place.width()));
    painter->restore();
}

QSize InlineBarDelegate::sizeHint(const QStyleOptionViewItem& given, const QModelIndex& index) const
{
    QStyleOptionViewItem option = given;
    initStyleOption(&option, index);
    return {option.fontMetrics.horizontalAdvance(option.text) + 2 * Theme::kSpacing + 2,
            option.fontMetrics.height() + 2 * kBarHeight + 4};
}

void LockDelegate::paint(QPainter* painter, const QStyleOptionViewItem& given, const QModelIndex& index) const
{
    QStyleOptionViewItem option = given;
    initStyleOption(&option, index);
    paintCell(painter, option);
    const QVariant state = index.data(Qt::CheckStateRole);
    if (!state.isValid())
        return;
    const bool locked = state.toInt() == Qt::Checked;
    const QIcon icon = themedIcon(locked ? QStringLiteral("lock") : QStringLiteral("unlock"), locked ? Ink::Warning : Ink::MutedText);
    QRect place(0, 0, kIconSide, kIconSide);
    place.moveCenter(option.rect.center());
    icon.paint(painter, place, Qt::AlignCenter, option.state.testFlag(QStyle::State_Enabled) ? QIcon::Normal : QIcon::Disabled);
}

QSize LockDelegate::sizeHint(const QStyleOptionViewItem&, const QModelIndex&) const
{
    return {kIconSide + 2 * Theme::kSpacing, kIconSide + 6};
}

bool LockDelegate::editorEvent(QEvent* event, QAbstractItemModel* model, const QStyleOptionViewItem& option, const QModelIndex& index)
{
    const auto needed = Qt::ItemIsUserCheckable | Qt::ItemIsEnabled;
    const QVariant state = index.data(Qt::CheckStateRole);
    if ((index.flags() & needed) != needed || !state.isValid())
        return false;
    bool toggles = false;
    if (event->type() == QEvent::MouseButtonRelease) {
        const auto* mouse = static_cast<QMouseEvent*>(event);
        toggles = mouse->button() == Qt::LeftButton && option.rect.contains(mouse->position().toPoint());
    } else if (event->type() == QEvent::KeyPress) {
        const int key = static_cast<QKeyEvent*>(event)->key();
        toggles = key == Qt::Key_Space || key == Qt::Key_Select;
    }
    return toggles && model->setData(index, state.toInt() == Qt::Checked ? Qt::Unchecked : Qt::Checked, Qt::CheckStateRole);
}

} // namespace tamis::views
