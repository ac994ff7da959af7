// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What every test of the whole window starts from.
#include "app/window/main_window.h"

#include <QApplication>
#include <QDir>
#include <QDockWidget>
#include <QStandardPaths>
#include <QTemporaryDir>
#include <QTest>

namespace tamis::app::test {

inline QString dataset(const char* name) { return QDir(TAMIS_SOURCE_DIR "/datasets").absoluteFilePath(QLatin1String(name)); }

/// For initMain(): before the application is made. Settings are the test's own.
inline void prepareApplication(const char* name)
{
    QStandardPaths::setTestModeEnabled(true);
    QCoreApplication::setOrganizationName(QStringLiteral("tamis-test"));
    QCoreApplication::setApplicationName(QLatin1String(name));
}

/// With TAMIS_SHOTS=<folder>, to be looked at.
inline void savePicture(QWidget& window, const QString& name)
{
    if (const QString shots = qEnvironmentVariable("TAMIS_SHOTS"); !shots.isEmpty())
        window.grab().save(shots + QLatin1Char('/') + name + QStringLiteral(".png"));
}

/// For pictures of a page: as large as those of docs/images, with what lies below the pages put away.
inline void makeRoom(QMainWindow& window)
{
    window.resize(1560, 980);
    for (const char* below : {"pointsDock", "jobsDock", "logDock"})
        if (auto* dock = window.findChild<QDockWidget*>(QLatin1String(below)))
            dock->hide();
}

/// A window whose questions are answered by the test.
struct Desk {
    static constexpr int kExposed = 30000, kSettled = 60000; ///< milliseconds that are waited at most
    QTemporaryDir directory;
    QString answer; ///< to the next file question
    QString saveAs; ///< to the next question where to save; empty: the same
    bool yes = false;
    MainWindow window{QString()};

    Desk()
    {
        auto& ask = window.questions();
        ask.open = [this](const QString&, const QString&) { return answer; };
        ask.save = [this](const QString&, const QString&, const QString&) { return saveAs.isEmpty() ? answer : saveAs; };
        ask.openDirectory = [this](const QString&) { return answer; };
        ask.newDirectory = [this](const QString&, const QString&) { return answer; };
        ask.confirm = [this](const QString&, const QString&) { return yes; };
        window.resize(1560, 960);
        window.show();
    }
    virtual ~Desk() = default;
    bool open(const QString& path)
    {
        if (!QTest::qWaitForWindowExposed(&window, kExposed))
            return false;
        QApplication::setActiveWindow(&window); // no window manager does it here
        window.open(path);
        return settled() && window.workspaces().workspace() != nullptr;
    }
    /// No job runs and the spectra are of the present settings.
    virtual bool settled()
    {
        return waitFor([this] { return !window.jobs().isRunning(); }) &&
               waitFor([this] { return !window.workspaces().workspace() || (window.spectrum().isUpToDate() && !window.spectrum().lane().isBusy()); });
    }
    template <class Condition> bool waitFor(Condition condition) const { return QTest::qWaitFor(condition, kSettled); }
    void run(const char* command) { window.commands().action(QLatin1String(command))->trigger(); }
    template <class T> T* child(const char* name) { return window.findChild<T*>(QLatin1String(name)); }
    QString path(const char* name) const { return directory.filePath(QLatin1String(name)); }
};

} // namespace tamis::app::test
