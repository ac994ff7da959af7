// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/session/autosave.h"

#include "app/session/session_file.h"
#include "core/base/error.h"

#include <QCoreApplication>
#include <QDir>
#include <QFileInfo>
#include <QStandardPaths>

namespace tamis::app {
namespace {
constexpr int kDelayMs = 2000;
} // namespace

Autosave::Autosave(SessionDocument& document, const QString& directory, QObject* parent)
    : QObject(parent), m_document(document), m_file(QDir(directory).filePath(QStringLiteral("%1.tamis").arg(QCoreApplication::applicationPid())))
{
    QDir().mkpath(directory);
    m_lock = std::make_unique<QLockFile>(m_file + QStringLiteral(".lock"));
    m_lock->setStaleLockTime(0);
    m_lock->tryLock(0);
    m_timer.setSingleShot(true);
    m_timer.setInterval(kDelayMs);
    connect(&m_timer, &QTimer::timeout, this, &Autosave::saveNow);
    connect(&document, &SessionDocument::stateChanged, this, [this] {
        if (!m_timer.isActive()) // not restarted: a long drag is saved, too
            m_timer.start();
    });
}

Autosave::~Autosave()
{
    QFile::remove(m_file);
    m_lock->unlock();
}

QString Autosave::defaultDirectory()
{
    return QDir(QStandardPaths::writableLocation(QStandardPaths::AppDataLocation)).filePath(QStringLiteral("autosave"));
}

void Autosave::saveNow()
{
    m_timer.stop();
    if (m_document.state().modelPath.empty())
        return;
    try {
        writeSession(m_file.toStdString(), m_document.state());
        m_failed = false;
    } catch (const Error& error) {
        if (!std::exchange(m_failed, true)) // said once, not every two seconds
            emit failed(QString::fromUtf8(error.what()));
    }
}

std::optional<QString> Autosave::leftBehind(const QString& directory)
{
    const auto files = QDir(directory).entryInfoList({QStringLiteral("*.tamis")}, QDir::Files, QDir::Time);
    for (const auto& file : files) {
        QLockFile lock(file.filePath() + QStringLiteral(".lock"));
        lock.setStaleLockTime(0);
        if (lock.tryLock(0)) { // its process is gone: QLockFile takes over the lock of a dead process
            lock.unlock();
            return file.filePath();
        }
    }
    return {};
}

void Autosave::discard(const QString& file)
{
    QFile::remove(file);
    QFile::remove(file + QStringLiteral(".lock"));
}

} // namespace tamis::app
