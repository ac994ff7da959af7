// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QWidget>

#include <vector>

class QComboBox;
class QGridLayout;
class QLabel;
class QLineEdit;

namespace tamis::views {

/// How a file of requests is read: its format, and of a table the columns that are the requests' ids, times, sizes, costs, uniqueness and operations, by name
/// or by number from 1. An empty field: found by its usual name.
class TraceColumns : public QWidget {
    Q_OBJECT
public:
    struct Names {
        QString id, time, size, cost, uniqueness, operation;
        QString format; ///< one of setFormats()
    };
    explicit TraceColumns(QWidget* parent = nullptr);
    void setFormats(const QStringList& names); ///< the first is found by the file's name and bytes
    void setColumns(const Names& names, bool table); ///< only of a table the columns are asked for
    void setWord(const QString& word); ///< why it is asked; empty: nothing

signals:
    void applied(const tamis::views::TraceColumns::Names& names);

private:
    QLineEdit* field(QGridLayout* grid, int cell, const QString& title, const QString& name, const QString& help);
    void showColumns();
    QLabel* m_word;
    QComboBox* m_format;
    QLineEdit *m_id, *m_time, *m_size, *m_cost, *m_uniqueness, *m_operation;
    std::vector<QWidget*> m_ofTables;
    bool m_table = false;
};

} // namespace tamis::views
