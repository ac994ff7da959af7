// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QStyledItemDelegate>

namespace tamis::views {

/// Draws a photo of a PhotoModel as a card: picture, name, the first classes with bars, right or wrong, what changed. Compact: the
/// picture with its first class below.
class PhotoDelegate : public QStyledItemDelegate {
    Q_OBJECT
public:
    explicit PhotoDelegate(bool compact, QObject* parent = nullptr) : QStyledItemDelegate(parent), m_compact(compact) {}
    void setComparing(bool comparing) { m_comparing = comparing; } ///< room for two models side by side
    void setPictureSide(int side) { m_side = side; }               ///< device-independent pixels
    void setCardWidth(int width) { m_width = width; }              ///< 0: as wide as the texts need
    int pictureSide() const { return m_side; }
    void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override;
    QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const override;

private:
    void paintPicture(QPainter* painter, const QRectF& place, const QModelIndex& index) const;
    void paintCard(QPainter* painter, const QStyleOptionViewItem& option, const QRectF& card, const QModelIndex& index) const;
    void paintCompact(QPainter* painter, const QStyleOptionViewItem& option, const QRectF& card, const QModelIndex& index) const;
    void paintClasses(QPainter* painter, const QRectF& place, const QVariantList& classes, const QString& title, bool compressed) const;

    bool m_compact, m_comparing = false;
    int m_side = 128, m_width = 0;
};

} // namespace tamis::views
