// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/cli/cli_process.h"

#include <QDir>
#include <QElapsedTimer>
#include <QFile>
#include <QJsonArray>
#include <QJsonDocument>
#include <QProcess>
#include <QProcessEnvironment>
#include <QTest>

#include <algorithm>
#include <csignal>
#include <sys/resource.h>
#include <unistd.h>

namespace tamis::tests {
namespace {

constexpr int kLongestRun = 240'000; // ms, against hangs

QByteArray processFile(qint64 process, const char* name)
{
    QFile file(QString("/proc/%1/%2").arg(process).arg(name));
    return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
}

bool listens(qint64 process, int signal)
{
    for (const QByteArray& line : processFile(process, "status").split('\n'))
        if (line.startsWith("SigCgt:"))
            return (line.mid(7).trimmed().toULongLong(nullptr, 16) >> (signal - 1)) & 1;
    return false;
}

/// Processor seconds of a running process; fields 14 and 15 of its stat, counted behind the name in parentheses.
double workedBy(qint64 process)
{
    const QByteArray stat = processFile(process, "stat");
    const auto fields = stat.mid(stat.lastIndexOf(')') + 2).split(' ');
    return fields.size() < 13 ? 0 : (fields[11].toDouble() + fields[12].toDouble()) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

/// Processor seconds of all the processes that this one started and that have ended.
double workedByTheEnded()
{
    rusage use{};
    getrusage(RUSAGE_CHILDREN, &use);
    const auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec); };
    return seconds(use.ru_utime) + seconds(use.ru_stime);
}

} // namespace

QJsonObject CliResult::json() const { return QJsonDocument::fromJson(output).object(); }

bool CliResult::hasOneErrorLine() const
{
    return errors.startsWith("tamis-cli: error: ") && errors.endsWith('\n') && errors.count('\n') == 1;
}

QString program() { return QStringLiteral(TAMIS_CLI_PROGRAM); }
QString sourcePath(const char* relative) { return QDir(TAMIS_SOURCE_DIR).absoluteFilePath(QString::fromUtf8(relative)); }
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
    if (!process.waitForFinished(kLongestRun)) {
        process.kill();
        process.waitForFinished();
        result.errors = process.readAllStandardError() + "(did not end)";
        return result;
    }
    result.output = process.readAllStandardOutput();
    result.errors = process.readAllStandardError();
    if (process.exitStatus() == QProcess::NormalExit)
        result.status = process.exitCode();
    return result;
}

InterruptedRun interruptCli(const QStringList& arguments, int signal, int afterMs)
{
    InterruptedRun run;
    const double before = workedByTheEnded();
    QProcess process;
    process.start(program(), arguments);
    run.reached = process.waitForStarted() && QTest::qWaitFor([&] { return listens(process.processId(), signal); }, 60'000) && !process.waitForFinished(afterMs);
    if (run.reached) {
        QElapsedTimer clock;
        clock.start();
        const double worked = workedBy(process.processId());
        ::kill(static_cast<pid_t>(process.processId()), signal);
        process.waitForFinished(30'000);
        run.seconds = static_cast<double>(clock.elapsed()) / 1000;
        if (run.seconds < 10)
            run.seconds = std::min(run.seconds, workedByTheEnded() - before - worked);
    }
    if (process.state() != QProcess::NotRunning) {
        process.kill();
        process.waitForFinished();
    }
    run.result.output = process.readAllStandardOutput();
    run.result.errors = process.readAllStandardError();
    if (process.exitStatus() == QProcess::NormalExit)
        run.result.status = process.exitCode();
    return run;
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
