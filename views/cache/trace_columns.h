// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QWidget>

class QLabel;
class QLineEdit;

namespace tamis::views {

/// Which columns of a table are the requests' ids, times, sizes, costs and uniqueness, by name or by number from 1. An empty field: found by its usual name.
class TraceColumns : public QWidget {
    Q_OBJECT
public:
    struct Names {
        QString id, time, size, cost, uniqueness;
    };
    explicit TraceColumns(QWidget* parent = nullptr);
    void setColumns(const Names& names);
    void setWord(const QString& word); ///< why it is asked; empty: nothing

signals:
    void applied(const tamis::views::TraceColumns::Names& names);

private:
    QLabel* m_word;
    QLineEdit *m_id = nullptr, *m_time = nullptr, *m_size = nullptr, *m_cost = nullptr, *m_uniqueness = nullptr;
};

} // namespace tamis::views
