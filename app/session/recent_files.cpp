// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/session/recent_files.h"

#include <QDir>
#include <QFileInfo>
#include <QSettings>

namespace tamis::app {
namespace {
const QString kKey = QStringLiteral("recentFiles");
} // namespace

RecentFiles::RecentFiles(QObject* parent) : QObject(parent) {}

QStringList RecentFiles::paths() const
{
    QStringList there;
    for (const auto& path : QSettings().value(kKey).toStringList())
        if (QFileInfo::exists(path))
            there << path;
    return there;
}

void RecentFiles::add(const QString& path)
{
    const QString absolute = QDir::cleanPath(QFileInfo(path).absoluteFilePath());
    QStringList all = QSettings().value(kKey).toStringList();
    all.removeAll(absolute);
    all.prepend(absolute);
    QSettings().setValue(kKey, all.mid(0, kLimit));
    emit changed();
}

void RecentFiles::clear()
{
    QSettings().remove(kKey);
    emit changed();
}

} // namespace tamis::app
