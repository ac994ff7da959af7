// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "app/session/session_document.h"

#include <QLockFile>
#include <QObject>
#include <QTimer>

#include <memory>
#include <optional>

namespace tamis::app {

/// Keeps a copy of a changed session in `directory` while the program runs; a copy left by a process that is no more is what
/// a crash left behind.
class Autosave : public QObject
{
    Q_OBJECT
public:
    Autosave(SessionDocument& document, const QString& directory, QObject* parent = nullptr);
    ~Autosave() override; ///< a clean end: the copy is removed

    /// The program's own directory, below the user's data.
    static QString defaultDirectory();
    /// Newest session that a process left in `directory` without ending; its file.
    static std::optional<QString> leftBehind(const QString& directory);
    /// Removes it and its lock.
    static void discard(const QString& file);

    QString file() const { return m_file; }
    void saveNow();

signals:
    void failed(const QString& sentence);

private:
    SessionDocument& m_document;
    QString m_file;
    std::unique_ptr<QLockFile> m_lock;
    QTimer m_timer;
    bool m_failed = false;
};

} // namespace tamis::app
