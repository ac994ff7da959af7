// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Malformed files of tests/corpus/<folder> with an expectations.tsv: a file, the error's code, and what its sentence contains; for
// the code "ok" how much is in the file.
#include "core/base/error.h"

#include <QDir>
#include <QFile>
#include <QTest>

#include <filesystem>

namespace tamis::test {

/// A row for each line; every file of the folder must have one.
inline void addExpectations(const QString& folder)
{
    QTest::addColumn<QString>("file");
    QTest::addColumn<QString>("code");
    QTest::addColumn<QString>("contains");
    const QString path = QStringLiteral(TAMIS_SOURCE_DIR "/tests/corpus/") + folder;
    QFile list(path + QStringLiteral("/expectations.tsv"));
    QVERIFY(list.open(QIODevice::ReadOnly));
    QStringList listed{QStringLiteral("expectations.tsv")};
    for (const QString& line : QString::fromUtf8(list.readAll()).split('\n', Qt::SkipEmptyParts)) {
        if (line.startsWith('#'))
            continue;
        const auto cells = line.split('\t');
        QCOMPARE(cells.size(), 3);
        QTest::newRow(qPrintable(cells[0])) << cells[0] << cells[1] << cells[2];
        listed << cells[0];
    }
    for (const QString& name : QDir(path).entryList(QDir::Files))
        QVERIFY2(listed.contains(name), qPrintable(name + " has no expectation"));
}

/// The row at hand; `read` takes the path and says how much it has read. The error must name the file.
template <class Read> void verifyExpectation(const QString& folder, Read read)
{
    QFETCH(QString, file);
    QFETCH(QString, code);
    QFETCH(QString, contains);
    const std::filesystem::path path = (QStringLiteral(TAMIS_SOURCE_DIR "/tests/corpus/") + folder + '/' + file).toStdString();
    if (code == "ok") {
        QCOMPARE(QString::number(read(path)), contains);
        return;
    }
    try {
        read(path);
        QFAIL("accepted");
    } catch (const Error& error) {
        QCOMPARE(QString::fromUtf8(errorCodeName(error.code()).data()), code);
        QVERIFY2(QString(error.what()).contains(contains), error.what());
        QVERIFY2(QString::fromStdString(error.subject()).endsWith(file), error.subject().c_str());
    }
}

} // namespace tamis::test
