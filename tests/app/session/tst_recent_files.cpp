// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/session/recent_files.h"

#include <QDir>
#include <QFile>
#include <QSettings>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>

using tamis::app::RecentFiles;

class TstRecentFiles : public QObject
{
    Q_OBJECT
    QTemporaryDir m_settings;

    static QString touched(const QTemporaryDir& dir, const QString& name)
    {
        QFile file(dir.filePath(name));
        return file.open(QIODevice::WriteOnly) ? file.fileName() : QString();
    }
private slots:
    void initTestCase() // not the user's own list
    {
        QCoreApplication::setOrganizationName("tamis-tests");
        QCoreApplication::setApplicationName("tst_recent_files");
        QSettings::setDefaultFormat(QSettings::IniFormat);
        QSettings::setPath(QSettings::IniFormat, QSettings::UserScope, m_settings.path());
        QVERIFY(QSettings().fileName().startsWith(m_settings.path()));
    }
    void init() { RecentFiles().clear(); }

    void newestFirstEachOnce()
    {
        QTemporaryDir dir;
        const QString a = touched(dir, "a"), b = touched(dir, "b");
        RecentFiles recent;
        QSignalSpy changed(&recent, &RecentFiles::changed);
        QCOMPARE(recent.paths(), QStringList());
        recent.add(a);
        recent.add(b);
        QCOMPARE(recent.paths(), QStringList({b, a}));
        recent.add(a);
        QCOMPARE(recent.paths(), QStringList({a, b}));
        QCOMPARE(changed.count(), 3);
        QCOMPARE(RecentFiles().paths(), recent.paths()); // kept, not held
        recent.clear();
        QCOMPARE(changed.count(), 4);
        QCOMPARE(recent.paths(), QStringList());
    }
    void atMostTen()
    {
        QTemporaryDir dir;
        RecentFiles recent;
        QStringList expected;
        for (int i = 0; i < RecentFiles::kLimit + 3; ++i) {
            expected.prepend(touched(dir, QString("file %1").arg(i)));
            recent.add(expected.first());
        }
        QCOMPARE(RecentFiles::kLimit, 10);
        QCOMPARE(recent.paths(), expected.mid(0, 10));
    }
    void missingOnesAreHiddenUntilTheyAreBack()
    {
        QTemporaryDir dir;
        const QString a = touched(dir, "a"), b = touched(dir, "b");
        RecentFiles recent;
        recent.add(a);
        recent.add(b);
        QVERIFY(QFile::remove(a));
        QCOMPARE(recent.paths(), QStringList({b}));
        touched(dir, "a");
        QCOMPARE(recent.paths(), QStringList({b, a}));
    }
    void pathsAreAbsoluteAndClean()
    {
        QTemporaryDir dir;
        const QString a = touched(dir, "a");
        QVERIFY(QDir(dir.path()).mkdir("folder"));
        const QString before = QDir::currentPath();
        QVERIFY(QDir::setCurrent(dir.path()));
        const QString here = QDir::currentPath();
        RecentFiles recent;
        recent.add("a");
        recent.add("folder"); // a checkpoint may be a folder
        recent.add(here + "/folder/../a");
        recent.add(here + "/folder/");
        QVERIFY(QDir::setCurrent(before));
        QCOMPARE(recent.paths(), QStringList({here + "/folder", here + "/a"}));
    }
};

QTEST_GUILESS_MAIN(TstRecentFiles)
#include "tst_recent_files.moc"
