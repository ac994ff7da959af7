// SPDX-License-Identifier: GPL-3.0-or-later
// Recovery: the copy of a running session, and what is left of one whose process was killed. Started with "--hold DIRECTORY
// MODEL" this program is that process: it keeps a session there, says "ready" and waits to be killed.
#include "app/session/autosave.h"
#include "app/session/session_file.h"

#include <QDir>
#include <QProcess>
#include <QRegularExpression>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>

#include <cstdio>
#include <cstring>

using namespace tamis;
using namespace tamis::app;

namespace {
void open(SessionDocument& document, const char* model)
{
    SessionState state;
    state.modelPath = model;
    document.reset(state);
}
void setKeep(SessionDocument& document, double keep)
{
    document.change("keep", {}, [keep](SessionState& state) { state.settings.budget.keep = keep; });
}
QStringList filesIn(const QTemporaryDir& dir) { return QDir(dir.path()).entryList(QDir::Files | QDir::Hidden); }

int hold(int argc, char** argv)
{
    QCoreApplication application(argc, argv);
    SessionDocument document;
    Autosave autosave(document, QString::fromLocal8Bit(argv[2]));
    open(document, argv[3]);
    setKeep(document, 0.25);
    autosave.saveNow();
    std::puts("ready");
    std::fflush(stdout);
    return application.exec();
}

/// A process of this program that holds a session; killed at the latest with this object.
class Holder
{
public:
    Holder(const QTemporaryDir& dir, const QString& model)
    {
        m_process.start(QCoreApplication::applicationFilePath(), {"--hold", dir.path(), model});
        while (m_process.waitForReadyRead(30'000) && !m_process.canReadLine())
            ;
        m_ready = m_process.readLine() == "ready\n";
    }
    ~Holder() { kill(); }
    bool ready() const { return m_ready; }
    void kill()
    {
        m_process.kill(); // SIGKILL: no destructor runs
        m_process.waitForFinished(30'000);
    }
    bool crashed() const { return m_process.exitStatus() == QProcess::CrashExit; }

private:
    QProcess m_process;
    bool m_ready = false;
};
} // namespace

class TstAutosave : public QObject
{
    Q_OBJECT
private slots:
    void aCopyAppearsAfterAChangeAndGoesWithACleanEnd()
    {
        QTemporaryDir dir;
        const QString directory = dir.filePath("made/when/needed");
        SessionDocument document;
        {
            Autosave autosave(document, directory);
            QVERIFY(autosave.file().startsWith(directory) && autosave.file().endsWith(".tamis"));
            QVERIFY(!QFile::exists(autosave.file()));
            open(document, "/models/a");
            setKeep(document, 0.5);
            QVERIFY(!QFile::exists(autosave.file())); // not for every step of a drag
            QTRY_VERIFY_WITH_TIMEOUT(QFile::exists(autosave.file()), 10'000);
            QVERIFY(readSession(autosave.file().toStdString()) == document.state());
            setKeep(document, 0.25); // the next change is saved, too
            QTRY_COMPARE_WITH_TIMEOUT(readSession(autosave.file().toStdString()).settings.budget.keep, 0.25, 10'000);
        }
        QVERIFY(QDir(directory).isEmpty());
    }
    void nothingIsSavedWithoutAModel()
    {
        QTemporaryDir dir;
        SessionDocument document;
        Autosave autosave(document, dir.path());
        setKeep(document, 0.5);
        autosave.saveNow();
        QVERIFY(!QFile::exists(autosave.file()));
        open(document, "/models/a");
        autosave.saveNow();
        QVERIFY(QFile::exists(autosave.file()));
    }
    void theCopyOfALiveSessionIsNotOffered()
    {
        QTemporaryDir dir;
        SessionDocument document;
        open(document, "/models/mine");
        Autosave autosave(document, dir.path());
        autosave.saveNow();
        QVERIFY(!Autosave::leftBehind(dir.path()).has_value()); // our own
        Holder other(dir, "/models/other");
        QVERIFY(other.ready());
        QCOMPARE(filesIn(dir).filter(QRegularExpression("tamis$")).size(), 2);
        QVERIFY(!Autosave::leftBehind(dir.path()).has_value()); // another process's
    }
    void aKilledProcessLeavesItsCopy()
    {
        QTemporaryDir dir;
        Holder holder(dir, "/models/lost");
        QVERIFY(holder.ready());
        holder.kill();
        QVERIFY(holder.crashed());
        const auto file = Autosave::leftBehind(dir.path());
        QVERIFY(file.has_value());
        const SessionState state = readSession(file->toStdString());
        QCOMPARE(state.modelPath, std::string("/models/lost"));
        QCOMPARE(state.settings.budget.keep, 0.25);
        QCOMPARE(Autosave::leftBehind(dir.path()), file); // asking does not take it away

        SessionDocument document; // a session that begins now neither hides nor overwrites it, and ends without it
        {
            Autosave autosave(document, dir.path());
            open(document, "/models/new");
            autosave.saveNow();
            QVERIFY(autosave.file() != *file);
            QCOMPARE(Autosave::leftBehind(dir.path()), file);
        }
        QCOMPARE(Autosave::leftBehind(dir.path()), file);
        QVERIFY(readSession(file->toStdString()) == state);
        Autosave::discard(*file);
        QVERIFY(!Autosave::leftBehind(dir.path()).has_value());
        QCOMPARE(filesIn(dir), QStringList());
    }
    void theNewestIsOfferedFirst()
    {
        QTemporaryDir dir;
        for (const auto* model : {"/models/older", "/models/newer"}) {
            Holder holder(dir, model);
            QVERIFY(holder.ready());
            holder.kill();
            QTest::qWait(20); // file times are compared in milliseconds
        }
        auto file = Autosave::leftBehind(dir.path());
        QVERIFY(file.has_value());
        QCOMPARE(readSession(file->toStdString()).modelPath, std::string("/models/newer"));
        Autosave::discard(*file);
        file = Autosave::leftBehind(dir.path());
        QVERIFY(file.has_value());
        QCOMPARE(readSession(file->toStdString()).modelPath, std::string("/models/older"));
    }
    // Two sessions of one process number (a container starts counting anew) do not share a file.
    void filesAreUnique()
    {
        QTemporaryDir dir;
        SessionDocument document;
        Autosave one(document, dir.path()), two(document, dir.path());
        QVERIFY(one.file() != two.file());
    }
    void aFailureIsSaidOnce()
    {
        QTemporaryDir dir;
        QFile blocked(dir.filePath("file")); // a file where the directory should be
        QVERIFY(blocked.open(QIODevice::WriteOnly));
        SessionDocument document;
        open(document, "/models/a");
        Autosave autosave(document, dir.filePath("file"));
        QSignalSpy failed(&autosave, &Autosave::failed);
        autosave.saveNow();
        autosave.saveNow();
        QCOMPARE(failed.count(), 1);
        QVERIFY2(failed[0][0].toString().contains("cannot be created"), qPrintable(failed[0][0].toString()));
        QVERIFY(blocked.remove() && QDir().mkpath(dir.filePath("file")));
        autosave.saveNow();
        QVERIFY(QFile::exists(autosave.file()));
        QVERIFY(QFile::remove(autosave.file()) && QDir(dir.filePath("file")).removeRecursively());
        autosave.saveNow(); // fails anew: said again
        QCOMPARE(failed.count(), 2);
    }
    void anEmptyOrMissingDirectoryLeavesNothing()
    {
        QTemporaryDir dir;
        QVERIFY(!Autosave::leftBehind(dir.path()).has_value());
        QVERIFY(!Autosave::leftBehind(dir.filePath("none")).has_value());
    }
};

int main(int argc, char** argv)
{
    if (argc == 4 && std::strcmp(argv[1], "--hold") == 0)
        return hold(argc, argv);
    QCoreApplication application(argc, argv);
    TstAutosave test;
    return QTest::qExec(&test, argc, argv);
}
#include "tst_autosave.moc"
