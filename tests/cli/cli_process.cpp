// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/cli/cli_process.h"

#include <QFile>
#include <QJsonArray>
#include <QJsonDocument>
#include <QProcess>
#include <QProcessEnvironment>

namespace tamis::tests {

QJsonObject CliResult::json() const { return QJsonDocument::fromJson(output).object(); }

bool CliResult::hasOneErrorLine() const
{
    return errors.startsWith("tamis-cli: error: ") && errors.endsWith('\n') && errors.count('\n') == 1;
}

QString program() { return QStringLiteral(TAMIS_CLI_PROGRAM); }
QString sourcePath(const char* relative) { return QStringLiteral(TAMIS_SOURCE_DIR "/") + QString::fromUtf8(relative); }
QString vit20() { return sourcePath("datasets/vit20"); }
QString vit20Calibration() { return sourcePath("datasets/vit20/calibration.h5"); }

CliResult runCli(const QStringList& arguments, const QStringList& environment)
{
    QProcess process;
    auto variables = QProcessEnvironment::systemEnvironment();
    for (const auto& assignment : environment)
        variables.insert(assignment.section('=', 0, 0), assignment.section('=', 1));
    process.setProcessEnvironment(variables);
    process.start(program(), arguments);
    CliResult result;
    if (!process.waitForFinished(60'000)) {
        process.kill();
        process.waitForFinished();
        return result;
    }
    result.output = process.readAllStandardOutput();
    result.errors = process.readAllStandardError();
    if (process.exitStatus() == QProcess::NormalExit)
        result.status = process.exitCode();
    return result;
}

QJsonObject readJsonFile(const QString& path)
{
    QFile file(path);
    return file.open(QIODevice::ReadOnly) ? QJsonDocument::fromJson(file.readAll()).object() : QJsonObject();
}

QJsonObject byName(const QJsonArray& array, const char* key)
{
    QJsonObject members;
    for (const auto& value : array)
        members[value.toObject()[QLatin1String(key)].toString()] = value;
    return members;
}

} // namespace tamis::tests
