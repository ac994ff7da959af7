// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Cells: a number with a thin bar under it; a lock that is clicked.
#include <QStyledItemDelegate>

namespace tamis::views {

/// Item roles that table models of this program answer.
enum ItemRole : int {
    kSortRole = Qt::UserRole + 100, ///< QVariant that orders the column (number or text)
    kFractionRole,                  ///< double in [0, 1]: length of the bar; invalid: no bar
    kToneRole                       ///< int(Ink) of the bar; invalid: Ink::Accent
};

/// Text right-aligned (DisplayRole), bar from kFractionRole.
class InlineBarDelegate : public QStyledItemDelegate {
    Q_OBJECT
public:
    using QStyledItemDelegate::QStyledItemDelegate;
    void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override;
    QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const override;
};

/// Lock icon from Qt::CheckStateRole; a click or Space calls setData(CheckStateRole). Model answers ItemIsUserCheckable.
class LockDelegate : public QStyledItemDelegate {
    Q_OBJECT
public:
    using QStyledItemDelegate::QStyledItemDelegate;
    void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override;
    QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const override;
    bool editorEvent(QEvent* event, QAbstractItemModel* model, const QStyleOptionViewItem& option,
                     const QModelIndex& index) override;
};

} // namespace tamis::views
