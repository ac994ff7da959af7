// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/commands/shortcut_sheet.h"

#include <QApplication>
#include <QClipboard>
#include <QDialogButtonBox>
#include <QHeaderView>
#include <QLineEdit>
#include <QPushButton>
#include <QTreeWidget>
#include <QVBoxLayout>

namespace tamis::app {
namespace {
struct Move {
    const char* what;
    const char* keys;
};
constexpr Move kChartMoves[] = {{"Move the rank of the matrix in focus", "drag the line, or Left / Right (Shift: by 10)"},
                                {"Zoom in", "drag a frame, or the wheel"},
                                {"Pan", "middle button, or Shift and drag"},
                                {"Show everything", "double click, or 0"},
                                {"Hide a curve", "click it in the legend"},
                                {"Turn the landscape", "drag; wheel zooms; a click picks the layer"}};

QString keysOf(const Command& command)
{
    QStringList keys;
    for (const auto& shortcut : command.shortcuts)
        keys << shortcut.toString(QKeySequence::NativeText);
    return keys.join(QStringLiteral(", "));
}
} // namespace

ShortcutSheet::ShortcutSheet(const CommandRegistry& registry, QWidget* parent) : QDialog(parent)
{
    setWindowTitle(tr("Commands and shortcuts"));
    setObjectName(QStringLiteral("shortcutSheet"));
    resize(640, 560);
    auto* filter = new QLineEdit(this);
    filter->setPlaceholderText(tr("Find"));
    filter->setAccessibleName(tr("Find a command"));
    auto* tree = new QTreeWidget(this);
    tree->setHeaderLabels({tr("Command"), tr("Keys")});
    tree->setAccessibleName(tr("Commands and their keys"));
    tree->header()->setSectionResizeMode(0, QHeaderView::Stretch);
    tree->header()->setSectionResizeMode(1, QHeaderView::ResizeToContents);
    tree->header()->setStretchLastSection(false);
    const auto heading = [tree](const QString& text) {
        auto* item = new QTreeWidgetItem(tree, {text});
        QFont bold = tree->font();
        bold.setBold(true);
        item->setFont(0, bold);
        item->setFlags(Qt::ItemIsEnabled);
        return item;
    };
    for (const auto& category : registry.categories()) {
        auto* top = heading(category);
        for (const auto& command : registry.commands())
            if (command.category == category) {
                auto* item = new QTreeWidgetItem(top, {command.title, keysOf(command)});
                item->setToolTip(0, command.help);
            }
    }
    auto* charts = heading(tr("In a chart"));
    for (const auto& move : kChartMoves)
        new QTreeWidgetItem(charts, {tr(move.what), tr(move.keys)});
    tree->expandAll();
    connect(filter, &QLineEdit::textChanged, tree, [tree](const QString& text) {
        for (int i = 0; i < tree->topLevelItemCount(); ++i) {
            auto* top = tree->topLevelItem(i);
            bool any = false;
            for (int j = 0; j < top->childCount(); ++j) {
                const bool hit = top->child(j)->text(0).contains(text, Qt::CaseInsensitive) ||
                                 top->child(j)->text(1).contains(text, Qt::CaseInsensitive);
                top->child(j)->setHidden(!hit);
                any = any || hit;
            }
            top->setHidden(!any);
        }
    });
    auto* buttons = new QDialogButtonBox(QDialogButtonBox::Close, this);
    auto* copy = buttons->addButton(tr("Copy"), QDialogButtonBox::ActionRole);
    connect(copy, &QPushButton::clicked, this, [&registry] { QApplication::clipboard()->setText(asText(registry)); });
    connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::reject);
    auto* layout = new QVBoxLayout(this);
    layout->addWidget(filter);
    layout->addWidget(tree);
    layout->addWidget(buttons);
}

QString ShortcutSheet::asText(const CommandRegistry& registry)
{
    QString text;
    for (const auto& command : registry.commands())
        text += command.category + QLatin1Char('\t') + command.title + QLatin1Char('\t') + keysOf(command) + QLatin1Char('\n');
    return text;
}

} // namespace tamis::app
