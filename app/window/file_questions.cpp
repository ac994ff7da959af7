// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/file_questions.h"

#include <QFileDialog>
#include <QMessageBox>

namespace tamis::app {

FileQuestions FileQuestions::dialogs(QWidget* parent)
{
    FileQuestions ask;
    ask.open = [parent](const QString& title, const QString& filter) { return QFileDialog::getOpenFileName(parent, title, {}, filter); };
    ask.save = [parent](const QString& title, const QString& filter, const QString& suggested) {
        return QFileDialog::getSaveFileName(parent, title, suggested, filter);
    };
    ask.openDirectory = [parent](const QString& title) { return QFileDialog::getExistingDirectory(parent, title); };
    ask.newDirectory = [parent](const QString& title, const QString& suggested) {
        return QFileDialog::getSaveFileName(parent, title, suggested, {}, nullptr, QFileDialog::ShowDirsOnly | QFileDialog::DontConfirmOverwrite);
    };
    ask.confirm = [parent](const QString& title, const QString& question) {
        return QMessageBox::question(parent, title, question) == QMessageBox::Yes;
    };
    return ask;
}

} // namespace tamis::app
