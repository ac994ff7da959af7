// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/sha256.h"

#include <QDir>
#include <QFile>
#include <QTemporaryDir>
#include <QTest>

using namespace tamis;

class TstAtomicFile : public QObject
{
    Q_OBJECT
    QTemporaryDir m_dir;
    std::filesystem::path path(const char* name) const { return m_dir.filePath(name).toStdString(); }
    QStringList names() const { return QDir(m_dir.path()).entryList(QDir::Files); }

private slots:
    void appearsWholeOrNotAtAll()
    {
        {
            AtomicFile file(path("kept"));
            file.write("abc");
            QVERIFY(!std::filesystem::exists(path("kept")));
            file.commit();
        }
        {
            AtomicFile file(path("dropped"));
            file.write("abc");
        }
        QCOMPARE(names(), QStringList{"kept"});
    }
    void replacesAnOlderFile()
    {
        writeFileAtomically(path("kept"), "new");
        QFile file(QString::fromStdString(path("kept").string()));
        QVERIFY(file.open(QIODevice::ReadOnly));
        QCOMPARE(file.readAll(), QByteArray("new"));
    }
    void aFullDiskIsOneSentence()
    {
        // /dev/full answers every write with "no space left"; the temporary file beside it cannot be made in /dev by
        // an ordinary user, so either sentence names the target and the reason.
        try {
            writeFileAtomically("/proc/tamis-cannot-exist", "x");
            QFAIL("written");
        } catch (const Error& error) {
            QVERIFY(error.code() == ErrorCode::IoFailure);
            QVERIFY2(QString(error.what()).startsWith("/proc/tamis-cannot-exist: cannot be created: "), error.what());
        }
    }
    void sha256HasThePublishedValues() // FIPS 180-2, appendix B.1
    {
        QCOMPARE(QString::fromStdString(sha256(std::as_bytes(std::span("abc", 3)))),
                 QString("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
        writeFileAtomically(path("abc"), "abc");
        QCOMPARE(sha256OfFiles({path("abc")}), sha256(std::as_bytes(std::span("abc", 3))));
    }
};

QTEST_GUILESS_MAIN(TstAtomicFile)
#include "tst_atomic_file.moc"
