// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QStyledItemDelegate>
#include <QWidget>

class QComboBox;
class QLabel;
class QListView;
class QSortFilterProxyModel;

namespace tamis::views {

class TokenPhotoModel;

/// A thumbnail with its tokens, a badge where the best class is another, and what the strip is ordered by.
class TokenPhotoDelegate : public QStyledItemDelegate {
    Q_OBJECT
public:
    using QStyledItemDelegate::QStyledItemDelegate;
    void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override;
    QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const override;
};

/// A row of photos with their tokens at one depth; what changed most comes first where it is asked for. Arrow keys walk, the chosen photo is
/// seen closely elsewhere.
class TokenStrip : public QWidget {
    Q_OBJECT
public:
    explicit TokenStrip(TokenPhotoModel& photos, QWidget* parent = nullptr); ///< `photos` outlives the strip
    void setFolder(const QString& title); ///< "photos, 20 files"; empty: no folder is open
    void setCurrent(const QString& name); ///< without a signal
    QString current() const;              ///< empty: none
    QStringList namesInOrder() const;
    QListView* list() const { return m_list; }

signals:
    void photoChosen(const QString& name); ///< by the user
    void openFolderRequested();

private:
    void showState();

    TokenPhotoModel& m_photos;
    QSortFilterProxyModel* m_sorted;
    QListView* m_list;
    QComboBox* m_order;
    QLabel *m_folder, *m_state;
    bool m_quiet = false;
};

} // namespace tamis::views
