// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "app/session/session_document.h"

#include <QObject>
#include <QTimer>

#include <memory>
#include <optional>

namespace tamis::app {

class SessionLock;

/// Keeps a copy of a changed session in `directory` while the program runs; a copy left by a process that is no more is what
/// a crash left behind.
class Autosave : public QObject
{
    Q_OBJECT
public:
    Autosave(SessionDocument& document, const QString& directory, QObject* parent = nullptr);
    ~Autosave() override; ///< a clean end: the copy and its lock are removed

    /// The program's own directory, below the user's data.
    static QString defaultDirectory();
    /// Newest session that a process left in `directory` without ending; its file.
    static std::optional<QString> leftBehind(const QString& directory);
    /// Removes it and its lock.
    static void discard(const QString& file);

    QString file() const { return m_file; }
    /// Writes the copy without waiting, if something is open.
    void saveNow();

signals:
    /// The copy cannot be written; said once until it succeeds again.
    void failed(const QString& sentence);

private:
    SessionDocument& m_document;
    QString m_file;
    std::unique_ptr<SessionLock> m_lock; ///< held while this lives; the system lets go of it when the process dies
    QTimer m_timer;
    bool m_failed = false;
};

} // namespace tamis::app
