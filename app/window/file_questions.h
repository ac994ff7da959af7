// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QString>

#include <functional>

class QWidget;

namespace tamis::app {

/// How the window asks for files; tests answer in the user's place. Every answer may be empty: not chosen.
struct FileQuestions {
    std::function<QString(const QString& title, const QString& filter)> open;
    std::function<QString(const QString& title, const QString& filter, const QString& suggested)> save;
    std::function<QString(const QString& title)> openDirectory;
    std::function<QString(const QString& title, const QString& suggested)> newDirectory;
    /// True: yes.
    std::function<bool(const QString& title, const QString& question)> confirm;

    static FileQuestions dialogs(QWidget* parent);
};

} // namespace tamis::app
