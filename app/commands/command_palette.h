// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "app/commands/command_registry.h"

#include <QFrame>

class QLineEdit;
class QListWidget;

namespace tamis::app {

/// How well `pattern` matches `text`: its letters in order, words' first letters and runs count more. -1: not at all.
int fuzzyScore(const QString& pattern, const QString& text);

/// Type to find a command, Enter runs it, Escape closes. Commands that cannot run now say why.
class CommandPalette : public QFrame
{
    Q_OBJECT
public:
    CommandPalette(CommandRegistry& registry, QWidget* window);
    void open();

protected:
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    void fill(const QString& pattern);
    void runCurrent();
    CommandRegistry& m_registry;
    QLineEdit* m_input;
    QListWidget* m_list;
};

} // namespace tamis::app
