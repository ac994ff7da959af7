// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QStringList>
#include <QWidget>

namespace tamis::views {

class PhotoList;
class PhotoModel;

/// One row of thumbnails with the first class of each, to choose photos for another view.
class PhotoStrip : public QWidget {
    Q_OBJECT
public:
    explicit PhotoStrip(PhotoModel& photos, QWidget* parent = nullptr); ///< `photos` outlives the strip
    void setSelection(const QStringList& names); ///< without a signal
    QStringList selection() const;
    PhotoList* list() const { return m_list; }

signals:
    void selectionChanged(const QStringList& names);
    void photoActivated(const QString& name);

private:
    PhotoList* m_list;
};

} // namespace tamis::views
