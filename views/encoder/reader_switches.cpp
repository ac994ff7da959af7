// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/encoder/reader_switches.h"

#include "views/common/ink.h"
#include "views/common/theme.h"

#include <QComboBox>
#include <QDoubleValidator>
#include <QFormLayout>
#include <QLabel>
#include <QLineEdit>
#include <QLocale>
#include <QVBoxLayout>

#include <algorithm>

namespace tamis::views {

ReaderSwitches::ReaderSwitches(QWidget* parent)
    : QWidget(parent), m_title(new QLabel(tr("What the file leaves open"), this)), m_notes(mutedLabel(this, QStringLiteral("readerNotes"))), m_rows(new QFormLayout)
{
    setObjectName(QStringLiteral("readerSwitches"));
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(Theme::kSpacing / 2);
    m_notes->setWordWrap(true);
    m_notes->setFont(Theme::smallFont(font()));
    m_notes->setTextInteractionFlags(Qt::TextSelectableByMouse);
    m_rows->setContentsMargins(0, 0, 0, 0);
    m_rows->setSpacing(Theme::kSpacing / 2);
    m_rows->setRowWrapPolicy(QFormLayout::WrapLongRows);
    column->addWidget(m_title);
    column->addLayout(m_rows);
    column->addWidget(m_notes);
    setSwitches({}, {});
}

QWidget* ReaderSwitches::control(const ReaderSwitch& of)
{
    const QString name = of.name;
    if (of.kind == ReaderSwitch::Kind::Number) {
        auto* line = new QLineEdit(of.value, this);
        line->setPlaceholderText(tr("as stated"));
        auto* positive = new QDoubleValidator(line);
        positive->setBottom(0);
        positive->setLocale(QLocale::c());
        line->setValidator(positive);
        line->setProperty("before", of.value);
        connect(line, &QLineEdit::editingFinished, this, [this, line, name] {
            if (line->text() == line->property("before").toString())
                return; // Enter, and then the focus leaves
            line->setProperty("before", line->text());
            m_switches.clear(); // shown anew, whatever becomes of it
            emit switched(name, line->text());
        });
        return line;
    }
    auto* combo = new QComboBox(this);
    if (of.kind == ReaderSwitch::Kind::Choice)
        combo->addItem(tr("as stated"), QString());
    combo->addItem(tr("no"), of.kind == ReaderSwitch::Kind::Flag ? QString() : QStringLiteral("no"));
    combo->addItem(tr("yes"), QStringLiteral("yes"));
    combo->setCurrentIndex(std::max(0, combo->findData(of.value)));
    connect(combo, &QComboBox::activated, this, [this, combo, name] {
        m_switches.clear(); // shown anew, whatever becomes of it
        emit switched(name, combo->currentData().toString());
    });
    return combo;
}

void ReaderSwitches::setSwitches(const std::vector<ReaderSwitch>& switches, const QStringList& notes)
{
    m_notes->setText(notes.join(QLatin1Char('\n')));
    m_notes->setVisible(!notes.isEmpty());
    m_title->setText(switches.empty() ? tr("Notes of the reader") : tr("What the file leaves open"));
    if (!(switches == m_switches)) { // controls that have the focus keep it where nothing changed
        m_switches = switches;
        while (m_rows->rowCount() > 0) { // one of them may be the sender
            const auto row = m_rows->takeRow(0);
            for (auto* item : {row.labelItem, row.fieldItem}) {
                if (item && item->widget()) {
                    item->widget()->hide();
                    item->widget()->setObjectName({});
                    item->widget()->deleteLater();
                }
                delete item;
            }
        }
        for (const ReaderSwitch& each : switches) {
            auto* made = control(each);
            made->setObjectName(QStringLiteral("assume-") + each.name);
            made->setAccessibleName(each.title);
            made->setToolTip(each.help);
            m_rows->addRow(each.title, made);
        }
    }
    setVisible(!switches.empty() || !notes.isEmpty());
}

} // namespace tamis::views
