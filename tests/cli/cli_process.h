// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Runs the built tamis-cli and keeps what it said.
#include <QByteArray>
#include <QJsonObject>
#include <QStringList>

namespace tamis::tests {

struct CliResult {
    int status = -1; ///< exit status; -1: did not start, did not end or was killed by a signal
    QByteArray output, errors;
    /// The object on standard output; empty when it is not exactly one JSON object.
    QJsonObject json() const;
    /// True for exactly one line "tamis-cli: error: ..." on standard error.
    bool hasOneErrorLine() const;
};

/// `environment`: "NAME=value" added to the test's own. Waits a minute at most.
CliResult runCli(const QStringList& arguments, const QStringList& environment = {});

QString program();                       ///< path of tamis-cli
QString sourcePath(const char* relative); ///< in the source tree
QString vit20();
QString vit20Calibration();
QJsonObject readJsonFile(const QString& path);

/// The members of an array of objects, by the text member `key`.
QJsonObject byName(const QJsonArray& array, const char* key = "name");

} // namespace tamis::tests
