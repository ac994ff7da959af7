// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QObject>
#include <QStringList>

namespace tamis::app {

/// The last ten things opened, newest first, kept in the user's settings. Those that are gone are not listed.
class RecentFiles : public QObject
{
    Q_OBJECT
public:
    static constexpr int kLimit = 10;
    explicit RecentFiles(QObject* parent = nullptr);
    QStringList paths() const;
    void add(const QString& path);
    void clear();

signals:
    void changed();
};

} // namespace tamis::app
