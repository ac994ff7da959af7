// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The expectations beside the malformed files: tests/corpus/make_safetensors.py writes them.
#include "core/base/error.h"

#include <QDir>
#include <QFile>
#include <QTest>

#include <exception>
#include <string>

namespace tamis::test {

struct CorpusCase {
    QString path;
    QString code; ///< "ok" or as errorCodeName()
    QString text; ///< part of the error
};

inline QList<CorpusCase> readCorpus(const QString& folder)
{
    QList<CorpusCase> cases;
    const QString root = QStringLiteral(TAMIS_SOURCE_DIR "/tests/corpus/") + folder + '/';
    QFile list(root + "expectations.tsv");
    if (list.open(QIODevice::ReadOnly))
        for (const QByteArray& line : list.readAll().split('\n'))
            if (const QList<QByteArray> fields = line.split('\t'); fields.size() == 3)
                cases.append({root + fields[0], fields[1], fields[2]});
    return cases;
}

/// Every file of the folder is in its list, and the other way round.
inline bool corpusIsComplete(const QString& folder)
{
    QStringList listed{"expectations.tsv"};
    for (const CorpusCase& each : readCorpus(folder))
        listed.append(each.path.section('/', -1));
    listed.sort();
    QStringList found = QDir(QStringLiteral(TAMIS_SOURCE_DIR "/tests/corpus/") + folder).entryList(QDir::AllEntries | QDir::NoDotAndDotDot);
    found.sort();
    return listed == found && listed.size() > 10;
}

/// "" when open() does what the case expects, else what it did.
template <class Open> QString corpusVerdict(const CorpusCase& each, Open open)
{
    try {
        open();
        return each.code == "ok" ? QString() : QStringLiteral("was accepted");
    } catch (const Error& error) {
        const bool asExpected = each.code == QString::fromUtf8(errorCodeName(error.code()).data()) && !each.text.isEmpty() &&
                                QString::fromStdString(error.what()).contains(each.text) && !error.subject().empty();
        return asExpected ? QString() : QString::fromUtf8(errorCodeName(error.code()).data()) + ": " + error.what();
    } catch (const std::exception& error) {
        return QStringLiteral("another exception: ") + error.what();
    }
}

} // namespace tamis::test
