// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QListView>
#include <QTimer>

namespace tamis::views {

class PhotoModel;

/// A list view of photos that asks its model for the thumbnails of the rows in sight, and of one more screen below, once the
/// scrolling rests. Its model is a PhotoModel or a proxy over one.
class PhotoList : public QListView {
    Q_OBJECT
public:
    explicit PhotoList(PhotoModel& photos, QWidget* parent = nullptr);
    void setPhotos(QAbstractItemModel* model); ///< the PhotoModel or a proxy; not owned
    void setEmptyText(const QString& text);
    QStringList selectedNames() const; ///< in shown order
    void selectNames(const QStringList& names); ///< without namesSelected
    QList<int> rowsInSight() const; ///< of the PhotoModel, in shown order

signals:
    void namesSelected(const QStringList& names); ///< by the user
    void photoActivated(const QString& name);     ///< double click or Enter

protected:
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void showEvent(QShowEvent* event) override;
    void scrollContentsBy(int dx, int dy) override;

private:
    void askSoon();
    int sourceRow(const QModelIndex& index) const;

    PhotoModel& m_photos;
    QTimer m_rest;
    QString m_emptyText;
    bool m_quiet = false;
};

} // namespace tamis::views
