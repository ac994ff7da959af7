// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QAbstractListModel>
#include <QDateTime>
#include <QWidget>

#include <deque>

class QComboBox;
class QLineEdit;
class QListView;
class QSortFilterProxyModel;

namespace tamis::views {

struct LogEntry {
    enum class Level { Information, Warning, Error };
    Level level = Level::Information;
    QString text;
    QDateTime time;
};

/// The newest kEntryLimit messages; older ones go.
class LogModel : public QAbstractListModel {
    Q_OBJECT
public:
    static constexpr int kEntryLimit = 10000;
    enum Role { LevelRole = Qt::UserRole + 1, TextRole, TimeRole };
    using QAbstractListModel::QAbstractListModel;
    void append(const LogEntry& entry);
    void clear();
    int rowCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;

private:
    std::deque<LogEntry> m_entries;
};

/// Messages with level, filter and copy. Follows the end unless the reader has scrolled up.
class LogView : public QWidget {
    Q_OBJECT
public:
    explicit LogView(QWidget* parent = nullptr);
    void append(LogEntry::Level level, const QString& text); ///< now
    void append(const LogEntry& entry);
    void clear();
    QString shownText(bool selectedOnly = false) const; ///< a line an entry: time, level, text
    QListView* view() const { return m_view; }

private:
    void copy() const;
    void applyFilter();

    LogModel* m_model;
    QSortFilterProxyModel* m_proxy;
    QListView* m_view;
    QComboBox* m_level;
    QLineEdit* m_text;
};

} // namespace tamis::views
