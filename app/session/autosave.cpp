// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/session/autosave.h"

#include "app/session/session_file.h"
#include "core/base/error.h"

#include <QCoreApplication>
#include <QDir>
#include <QFileInfo>
#include <QStandardPaths>
#include <QUuid>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>
#include <utility>

namespace tamis::app {
namespace {
constexpr int kDelayMs = 2000;

/// Process numbers come again (in a container, at once), so the number alone does not name a session.
QString newFile(const QString& directory)
{
    const QString unique = QUuid::createUuid().toString(QUuid::Id128).left(12);
    return QDir(directory).filePath(QStringLiteral("%1-%2.tamis").arg(QCoreApplication::applicationPid()).arg(unique));
}

QString lockOf(const QString& file) { return file + QStringLiteral(".lock"); }
} // namespace

/// A lock of the system's on a file, gone with the process that holds it, however that ends.
class SessionLock
{
public:
    explicit SessionLock(const QString& file)
        : m_descriptor(::open(file.toUtf8().constData(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)),
          m_held(m_descriptor >= 0 && ::flock(m_descriptor, LOCK_EX | LOCK_NB) == 0)
    {
    }
    ~SessionLock()
    {
        if (m_descriptor >= 0)
            ::close(m_descriptor);
    }
    SessionLock(const SessionLock&) = delete;
    SessionLock& operator=(const SessionLock&) = delete;
    bool held() const { return m_held; }

private:
    int m_descriptor;
    bool m_held;
};

Autosave::Autosave(SessionDocument& document, const QString& directory, QObject* parent)
    : QObject(parent), m_document(document), m_file(newFile(directory))
{
    QDir().mkpath(directory);
    m_lock = std::make_unique<SessionLock>(lockOf(m_file));
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
    discard(m_file);
}

QString Autosave::defaultDirectory()
{
    return QDir(QStandardPaths::writableLocation(QStandardPaths::AppDataLocation)).filePath(QStringLiteral("autosave"));
}

void Autosave::saveNow()
{
    m_timer.stop();
    if (m_document.state().modelPath.empty() && !standsAlone(m_document.state()))
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
        const SessionLock lock(lockOf(file.filePath()));
        if (lock.held() && QFile::exists(file.filePath())) // its process is gone, and did not end cleanly just now
            return file.filePath();
    }
    return {};
}

void Autosave::discard(const QString& file)
{
    QFile::remove(file);
    QFile::remove(lockOf(file));
}

} // namespace tamis::app
