// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QWidget>

class QLabel;
class QLineEdit;

namespace tamis::views {

/// Which columns of a table are the requests' ids, times and sizes, by name or by number from 1. An empty field: found by its usual name.
class TraceColumns : public QWidget {
    Q_OBJECT
public:
    explicit TraceColumns(QWidget* parent = nullptr);
    void setColumns(const QString& id, const QString& time, const QString& size);
    void setWord(const QString& word); ///< why it is asked; empty: nothing

signals:
    void applied(const QString& id, const QString& time, const QString& size);

private:
    QLabel* m_word;
    QLineEdit *m_id = nullptr, *m_time = nullptr, *m_size = nullptr;
};

} // namespace tamis::views
