// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Malformed files and what must be said of each: tests/corpus/<folder>/expectations.tsv, lines of
// file<TAB>error code<TAB>part of the sentence. The scripts beside make the files.
#include "core/base/error.h"

#include <QFile>
#include <QTest>

#include <filesystem>
#include <functional>
#include <string>

namespace tamis::test {

inline std::filesystem::path sourcePath(const std::string& relative) { return std::filesystem::path(TAMIS_SOURCE_DIR) / relative; }

/// Fills the data table of a test with the columns file, code, part.
inline void corpusTable(const std::string& folder)
{
    QTest::addColumn<QString>("file");
    QTest::addColumn<QString>("code");
    QTest::addColumn<QString>("part");
    QFile table(QString::fromStdString(sourcePath("tests/corpus/" + folder + "/expectations.tsv").string()));
    QVERIFY(table.open(QIODevice::ReadOnly));
    int lines = 0;
    for (const QByteArray& line : table.readAll().split('\n')) {
        if (line.isEmpty())
            continue;
        const QStringList fields = QString::fromUtf8(line).split('\t');
        QCOMPARE(fields.size(), 3);
        const QString path = QString::fromStdString(sourcePath("tests/corpus/" + folder + "/" + fields[0].toStdString()).string());
        QVERIFY2(QFile::exists(path), qPrintable(path));
        QTest::newRow(qPrintable(fields[0])) << path << fields[1] << fields[2];
        ++lines;
    }
    QVERIFY(lines > 0);
}

/// Runs `read` on the file of this row; it must throw the Error of the table, naming the file.
inline void expectRefusal(const std::function<void(const std::filesystem::path&)>& read)
{
    QFETCH(QString, file);
    QFETCH(QString, code);
    QFETCH(QString, part);
    try {
        read(file.toStdString());
    } catch (const Error& error) {
        QCOMPARE(QString::fromUtf8(errorCodeName(error.code()).data()), code);
        QVERIFY2(QString(error.what()).contains(part), error.what());
        QVERIFY2(QString::fromStdString(error.subject()).startsWith(file), error.what());
        return;
    }
    QFAIL("was read without an error");
}

} // namespace tamis::test
