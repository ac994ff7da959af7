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

/// A run that a signal ended.
struct InterruptedRun {
    CliResult result;
    bool reached = false; ///< false: it was over before the signal, or never listened to it
    double seconds = 0;   ///< from the signal to the end: the clock's, or the program's processor time where that is less (tests/core/base/stop_clock.h)
};
/// Sends the signal `afterMs` after the program began to listen to it: it starts itself again for its BLAS kernels, and loads before it can listen.
InterruptedRun interruptCli(const QStringList& arguments, int signal, int afterMs);

/// `environment`: "NAME=value" added to the test's own. Waits four minutes at most.
CliResult runCli(const QStringList& arguments, const QStringList& environment = {});

QString program();                       ///< path of tamis-cli
QString sourcePath(const char* relative); ///< in the source tree
QString vit20();
QString vit20Calibration();
QJsonObject readJsonFile(const QString& path);

/// The members of an array of objects, by the text member `key`.
QJsonObject byName(const QJsonArray& array, const char* key = "name");

} // namespace tamis::tests
