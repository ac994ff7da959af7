// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QStringList>
#include <QWidget>

class QComboBox;
class QLabel;
class QLineEdit;
class QStackedWidget;

namespace tamis::views {

class NoticeBar;
class PhotoDelegate;
class PhotoFilter;
class PhotoList;
class PhotoModel;

/// A folder of photos as cards with what the model, and its compressed form, take them for: text filter, order, only the wrong or
/// the changed ones. Thumbnails are asked for by the model (PhotoModel::thumbnailsRequested).
class PhotoGrid : public QWidget {
    Q_OBJECT
public:
    explicit PhotoGrid(PhotoModel& photos, QWidget* parent = nullptr); ///< `photos` outlives the grid
    void setFolder(const QString& title); ///< shown above; empty: no folder is open
    void setProblem(const QString& sentence); ///< why the model says nothing of these photos; empty: none
    void setSelection(const QStringList& names); ///< without a signal
    QStringList selection() const;
    PhotoList* list() const { return m_list; }

signals:
    void selectionChanged(const QStringList& names);
    void photoActivated(const QString& name);
    void openFolderRequested();

protected:
    void resizeEvent(QResizeEvent* event) override;

private:
    void update(); ///< counts, and cards that fill the width

    PhotoModel& m_photos;
    PhotoFilter* m_filter;
    PhotoList* m_list;
    PhotoDelegate* m_delegate;
    QLineEdit* m_text;
    QComboBox *m_order, *m_show;
    QLabel *m_folder, *m_count;
    NoticeBar* m_problem;
    QStackedWidget* m_pages;
};

} // namespace tamis::views
