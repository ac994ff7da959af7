// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Every user action, named once: menus, shortcuts, palette, cheat sheet and tests all come from here.
#include <QAction>
#include <QKeySequence>
#include <QObject>
#include <QString>

#include <functional>
#include <vector>

class QMenu;
class QWidget;

namespace tamis::app {

struct Command {
    QString id;       ///< "file.open"
    QString category; ///< menu and heading: "File"
    QString title;    ///< "Open checkpoint…"
    QString help;     ///< one line
    QList<QKeySequence> shortcuts;
    std::function<void()> run;
    std::function<QString()> disabledReason; ///< empty text: enabled; missing: always enabled
    bool checkable = false;
    std::function<bool()> checked; ///< state of a checkable command
};

/// One sentence for each id that two commands share, and for each shortcut that two commands share or that is the beginning of
/// another's. Empty: no clash.
QStringList commandClashes(const std::vector<Command>& commands);

class CommandRegistry : public QObject
{
    Q_OBJECT
public:
    explicit CommandRegistry(QWidget* window); ///< shortcuts work in `window`
    /// Ids are unique and shortcuts do not clash: commandClashes() of all is empty (asserted in debug builds, and tested).
    void add(Command command);
    const std::vector<Command>& commands() const noexcept { return m_commands; }
    const Command* find(const QString& id) const;
    QAction* action(const QString& id) const;
    QStringList categories() const; ///< in order of first appearance
    void fillMenu(QMenu& menu, const QString& category) const;
    /// Runs it when it is enabled; otherwise says why not. An id that nobody has is ignored.
    void trigger(const QString& id);
    /// Brings enabled and checked states up to date.
    void refresh();

signals:
    void refused(const QString& title, const QString& reason);

private:
    QWidget* m_window;
    std::vector<Command> m_commands;
    std::vector<QAction*> m_actions;
};

} // namespace tamis::app
