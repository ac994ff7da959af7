// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/commands/command_palette.h"

#include <QApplication>
#include <QKeyEvent>
#include <QLineEdit>
#include <QListWidget>
#include <QVBoxLayout>

#include <algorithm>

namespace tamis::app {

namespace {
/// Letters of one word in order, the first of them at or after `at`; -1: not there.
int wordScore(const QString& word, const QString& text, qsizetype at)
{
    int score = 0, run = -1; // letters in a row before this one
    for (const QChar wanted : word) {
        const qsizetype found = text.indexOf(wanted, at, Qt::CaseInsensitive);
        if (found < 0)
            return -1;
        const bool wordStart = found == 0 || !text[found - 1].isLetterOrNumber();
        run = found == at ? run + 1 : 0;
        score += 1 + (wordStart ? 6 : 0) + 3 * run - static_cast<int>(std::min<qsizetype>(found - at, 3));
        at = found + 1;
    }
    return std::max(score, 0);
}
} // namespace

int fuzzyScore(const QString& pattern, const QString& text)
{
    int score = 0;
    for (const QString& word : pattern.simplified().split(QLatin1Char(' '), Qt::SkipEmptyParts)) {
        int best = -1; // over every place where the word can begin
        for (qsizetype at = text.indexOf(word[0], 0, Qt::CaseInsensitive); at >= 0; at = text.indexOf(word[0], at + 1, Qt::CaseInsensitive))
            best = std::max(best, wordScore(word, text, at));
        if (best < 0)
            return -1;
        score += best;
    }
    return score;
}

CommandPalette::CommandPalette(CommandRegistry& registry, QWidget* window) : QFrame(window), m_registry(registry)
{
    setObjectName(QStringLiteral("commandPalette"));
    setAccessibleName(tr("Command palette"));
    setFrameShape(QFrame::StyledPanel);
    setAutoFillBackground(true);
    m_input = new QLineEdit(this);
    m_input->setObjectName(QStringLiteral("commandInput"));
    m_input->setPlaceholderText(tr("Type a command"));
    m_input->setAccessibleName(tr("Command to find"));
    m_input->installEventFilter(this);
    m_list = new QListWidget(this);
    m_list->setObjectName(QStringLiteral("commandList"));
    m_list->setAccessibleName(tr("Matching commands"));
    m_list->setFocusPolicy(Qt::NoFocus);
    auto* layout = new QVBoxLayout(this);
    layout->addWidget(m_input);
    layout->addWidget(m_list);
    connect(m_input, &QLineEdit::textChanged, this, &CommandPalette::fill);
    connect(m_list, &QListWidget::itemClicked, this, &CommandPalette::runCurrent);
    hide();
}

void CommandPalette::open()
{
    if (!isVisible())
        m_focusBefore = QApplication::focusWidget();
    m_input->clear();
    fill({});
    const int width = std::min(620, parentWidget()->width() - 40);
    resize(width, std::min(420, parentWidget()->height() - 80));
    move((parentWidget()->width() - width) / 2, 56);
    show();
    raise();
    m_input->setFocus();
}

void CommandPalette::fill(const QString& pattern)
{
    struct Match {
        int score;
        const Command* command;
    };
    std::vector<Match> matches;
    for (const auto& command : m_registry.commands())
        if (const int score = fuzzyScore(pattern, command.title + QLatin1Char(' ') + command.category); score >= 0)
            matches.push_back({score, &command});
    std::stable_sort(matches.begin(), matches.end(), [](const Match& a, const Match& b) { return a.score > b.score; });
    m_list->clear();
    for (const auto& match : matches) {
        const QString reason = match.command->disabledReason ? match.command->disabledReason() : QString();
        QString text = match.command->title;
        if (!match.command->shortcuts.isEmpty())
            text += QStringLiteral("    ") + match.command->shortcuts.first().toString(QKeySequence::NativeText);
        if (!reason.isEmpty())
            text += QStringLiteral("   (%1)").arg(reason);
        auto* item = new QListWidgetItem(text, m_list);
        item->setData(Qt::UserRole, match.command->id);
        item->setToolTip(match.command->help);
        if (!reason.isEmpty())
            item->setFlags(item->flags() & ~Qt::ItemIsEnabled);
    }
    m_list->setCurrentRow(-1);
    if (m_list->count() > 0 && (pattern.isEmpty() || (m_list->item(0)->flags() & Qt::ItemIsEnabled)))
        moveBy(1); // when what was asked for cannot run, Enter does not run the next best instead
}

void CommandPalette::runCurrent()
{
    const auto* item = m_list->currentItem();
    if (!item || !(item->flags() & Qt::ItemIsEnabled))
        return;
    const QString id = item->data(Qt::UserRole).toString();
    closeAndRestore();
    m_registry.trigger(id);
}

void CommandPalette::moveBy(int step)
{
    for (int row = m_list->currentRow() + step; row >= 0 && row < m_list->count(); row += step)
        if (m_list->item(row)->flags() & Qt::ItemIsEnabled) {
            m_list->setCurrentRow(row);
            return;
        }
}

void CommandPalette::closeAndRestore()
{
    hide();
    (m_focusBefore ? m_focusBefore.data() : parentWidget())->setFocus();
}

bool CommandPalette::eventFilter(QObject* watched, QEvent* event)
{
    if (event->type() == QEvent::FocusOut)
        hide();
    if (event->type() != QEvent::KeyPress)
        return QFrame::eventFilter(watched, event);
    const auto* key = static_cast<QKeyEvent*>(event);
    switch (key->key()) {
    case Qt::Key_Escape: closeAndRestore(); return true;
    case Qt::Key_Down: moveBy(1); return true;
    case Qt::Key_Up: moveBy(-1); return true;
    case Qt::Key_Return:
    case Qt::Key_Enter: runCurrent(); return true;
    default: return false;
    }
}

} // namespace tamis::app
