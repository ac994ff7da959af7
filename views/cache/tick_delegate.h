// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QStyledItemDelegate>

class QCheckBox;

namespace tamis::views {

/// Rows of a list with a tick box as those of check boxes, with room around it. A click on the box, or Space, calls setData(CheckStateRole).
class TickDelegate : public QStyledItemDelegate {
    Q_OBJECT
public:
    explicit TickDelegate(QWidget* list);
    void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override;
    QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const override;

protected:
    bool editorEvent(QEvent* event, QAbstractItemModel* model, const QStyleOptionViewItem& option, const QModelIndex& index) override;

private:
    QRect boxIn(const QRect& row) const;

    QCheckBox* m_box; ///< never shown: what the style sheet says of its indicator is drawn
};

} // namespace tamis::views
