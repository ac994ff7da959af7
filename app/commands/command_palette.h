// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "app/commands/command_registry.h"

#include <QFrame>
#include <QPointer>

class QLineEdit;
class QListWidget;

namespace tamis::app {

/// How well `pattern` matches `text`: each of its words (in any order) with its letters in order; words' first letters and runs
/// count more, gaps less. 0 for an empty pattern, -1: not at all.
int fuzzyScore(const QString& pattern, const QString& text);

/// Type to find a command, Enter runs it, Escape closes. Commands that cannot run now say why.
class CommandPalette : public QFrame
{
    Q_OBJECT
public:
    CommandPalette(CommandRegistry& registry, QWidget* window);
    void open(); ///< gives the focus back to where it was when it closes

protected:
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    void fill(const QString& pattern);
    void runCurrent();
    void moveBy(int step); ///< to the next command that can run
    void closeAndRestore();
    CommandRegistry& m_registry;
    QLineEdit* m_input;
    QListWidget* m_list;
    QPointer<QWidget> m_focusBefore;
};

} // namespace tamis::app
