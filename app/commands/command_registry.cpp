// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/commands/command_registry.h"

#include <QMenu>
#include <QWidget>

namespace tamis::app {

QStringList commandClashes(const std::vector<Command>& commands)
{
    QStringList clashes;
    for (std::size_t i = 0; i < commands.size(); ++i)
        for (std::size_t j = i + 1; j < commands.size(); ++j) {
            const Command &a = commands[i], &b = commands[j];
            if (a.id == b.id)
                clashes << QStringLiteral("Two commands have the id %1.").arg(a.id);
            for (const auto& left : a.shortcuts)
                for (const auto& right : b.shortcuts)
                    if (!left.isEmpty() && !right.isEmpty() &&
                        (left.matches(right) != QKeySequence::NoMatch || right.matches(left) != QKeySequence::NoMatch))
                        clashes << QStringLiteral("%1 of %2 clashes with %3 of %4.")
                                       .arg(left.toString(), a.id, right.toString(), b.id);
        }
    return clashes;
}

CommandRegistry::CommandRegistry(QWidget* window) : QObject(window), m_window(window) {}

void CommandRegistry::add(Command command)
{
    Q_ASSERT_X(!find(command.id), "CommandRegistry::add", "the id is taken");
    auto* action = new QAction(command.title, this);
    action->setObjectName(command.id);
    action->setShortcuts(command.shortcuts);
    action->setShortcutContext(Qt::WindowShortcut);
    action->setStatusTip(command.help);
    action->setToolTip(command.help);
    action->setCheckable(command.checkable);
    connect(action, &QAction::triggered, this, [this, id = command.id] { trigger(id); });
    m_window->addAction(action);
    m_commands.push_back(std::move(command));
    m_actions.push_back(action);
    Q_ASSERT_X(commandClashes(m_commands).isEmpty(), "CommandRegistry::add", "a shortcut is taken");
}

const Command* CommandRegistry::find(const QString& id) const
{
    for (const auto& command : m_commands)
        if (command.id == id)
            return &command;
    return nullptr;
}

QAction* CommandRegistry::action(const QString& id) const
{
    for (std::size_t i = 0; i < m_commands.size(); ++i)
        if (m_commands[i].id == id)
            return m_actions[i];
    return nullptr;
}

QStringList CommandRegistry::categories() const
{
    QStringList all;
    for (const auto& command : m_commands)
        if (!all.contains(command.category))
            all << command.category;
    return all;
}

void CommandRegistry::fillMenu(QMenu& menu, const QString& category) const
{
    for (std::size_t i = 0; i < m_commands.size(); ++i)
        if (m_commands[i].category == category)
            menu.addAction(m_actions[i]);
}

void CommandRegistry::trigger(const QString& id)
{
    const Command* command = find(id);
    if (!command)
        return;
    const QString reason = command->disabledReason ? command->disabledReason() : QString();
    if (!reason.isEmpty()) {
        refresh(); // a checkable action has toggled itself
        emit refused(command->title, reason);
        return;
    }
    command->run();
    refresh();
}

void CommandRegistry::refresh()
{
    for (std::size_t i = 0; i < m_commands.size(); ++i) {
        const auto& command = m_commands[i];
        m_actions[i]->setEnabled(!command.disabledReason || command.disabledReason().isEmpty());
        if (command.checked)
            m_actions[i]->setChecked(command.checked());
    }
}

} // namespace tamis::app
