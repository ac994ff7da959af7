// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/cache/tick_delegate.h"

#include <QCheckBox>
#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QStyle>
#include <QStyleOption>

#include <algorithm>

namespace tamis::views {
namespace {
constexpr int kSide = 4, kGap = 8, kAbove = 3; ///< pixels left of the box, between it and the text, above and below
} // namespace

TickDelegate::TickDelegate(QWidget* list) : QStyledItemDelegate(list), m_box(new QCheckBox(list))
{
    m_box->setFocusPolicy(Qt::NoFocus);
    m_box->hide();
}

QRect TickDelegate::boxIn(const QRect& row) const
{
    const int width = m_box->style()->pixelMetric(QStyle::PM_IndicatorWidth, nullptr, m_box), height = m_box->style()->pixelMetric(QStyle::PM_IndicatorHeight, nullptr, m_box);
    return {row.left() + kSide, row.top() + (row.height() - height) / 2, width, height};
}

void TickDelegate::paint(QPainter* painter, const QStyleOptionViewItem& given, const QModelIndex& index) const
{
    QStyleOptionViewItem option = given;
    initStyleOption(&option, index);
    const QStyle* style = m_box->style();
    style->drawPrimitive(QStyle::PE_PanelItemViewItem, &option, painter, option.widget);
    QStyleOptionButton box;
    box.rect = boxIn(option.rect);
    box.palette = option.palette;
    box.state = (option.state & QStyle::State_Enabled) | (option.checkState == Qt::Checked ? QStyle::State_On : QStyle::State_Off);
    style->drawPrimitive(QStyle::PE_IndicatorCheckBox, &box, painter, m_box);
    const QRect text = option.rect.adjusted(box.rect.right() + kGap - option.rect.left(), 0, -kSide, 0);
    painter->setFont(option.font);
    style->drawItemText(painter, text, Qt::AlignLeft | Qt::AlignVCenter, option.palette, option.state.testFlag(QStyle::State_Enabled), option.fontMetrics.elidedText(option.text, Qt::ElideRight, text.width()), QPalette::Text);
}

QSize TickDelegate::sizeHint(const QStyleOptionViewItem& given, const QModelIndex& index) const
{
    QStyleOptionViewItem option = given;
    initStyleOption(&option, index);
    const QRect box = boxIn({});
    return {box.width() + 2 * kSide + kGap + option.fontMetrics.horizontalAdvance(option.text), std::max(box.height(), option.fontMetrics.height()) + 2 * kAbove};
}

bool TickDelegate::editorEvent(QEvent* event, QAbstractItemModel* model, const QStyleOptionViewItem& option, const QModelIndex& index)
{
    const auto needed = Qt::ItemIsUserCheckable | Qt::ItemIsEnabled;
    if ((index.flags() & needed) != needed)
        return false;
    bool toggles = false;
    if (event->type() == QEvent::MouseButtonRelease) {
        const auto* mouse = static_cast<QMouseEvent*>(event);
        toggles = mouse->button() == Qt::LeftButton && boxIn(option.rect).adjusted(-kSide, -kAbove, kSide, kAbove).contains(mouse->position().toPoint());
    } else if (event->type() == QEvent::KeyPress) {
        const int key = static_cast<QKeyEvent*>(event)->key();
        toggles = key == Qt::Key_Space || key == Qt::Key_Select;
    }
    return toggles && model->setData(index, index.data(Qt::CheckStateRole).toInt() == Qt::Checked ? Qt::Unchecked : Qt::Checked, Qt::CheckStateRole);
}

} // namespace tamis::views
