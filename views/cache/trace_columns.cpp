// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/cache/trace_columns.h"

#include "views/common/icons.h"
#include "views/common/ink.h"

#include <QHBoxLayout>
#include <QLineEdit>
#include <QPushButton>

namespace tamis::views {

TraceColumns::TraceColumns(QWidget* parent) : QWidget(parent), m_word(mutedLabel(this, QStringLiteral("traceColumnsWord")))
{
    setObjectName(QStringLiteral("traceColumns"));
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(0, 0, 0, 0);
    row->addWidget(m_word);
    const auto field = [&](const QString& title, const QString& name, const QString& help) {
        auto* label = new QLabel(title, this);
        auto* edit = new QLineEdit(this);
        edit->setObjectName(name);
        edit->setToolTip(help);
        edit->setAccessibleName(help);
        edit->setPlaceholderText(tr("by name"));
        edit->setMaximumWidth(fontMetrics().averageCharWidth() * 18);
        label->setBuddy(edit);
        row->addWidget(label);
        row->addWidget(edit);
        return edit;
    };
    m_id = field(tr("Column of &ids"), QStringLiteral("traceIdColumn"), tr("Name or number of the column that has the objects' ids"));
    m_time = field(tr("&times"), QStringLiteral("traceTimeColumn"), tr("Name or number of the column that has the times"));
    m_size = field(tr("si&zes"), QStringLiteral("traceSizeColumn"), tr("Name or number of the column that has the sizes in bytes"));
    auto* apply = new QPushButton(themedIcon(QStringLiteral("ok")), tr("&Read again"), this);
    apply->setObjectName(QStringLiteral("applyTraceColumns"));
    row->addWidget(apply);
    row->addStretch(1);
    const auto tell = [this] { emit applied(m_id->text().trimmed(), m_time->text().trimmed(), m_size->text().trimmed()); };
    connect(apply, &QPushButton::clicked, this, tell);
    for (QLineEdit* edit : {m_id, m_time, m_size})
        connect(edit, &QLineEdit::returnPressed, this, tell);
    setWord({});
}

void TraceColumns::setColumns(const QString& id, const QString& time, const QString& size)
{
    m_id->setText(id);
    m_time->setText(time);
    m_size->setText(size);
}

void TraceColumns::setWord(const QString& word)
{
    m_word->setText(word);
    m_word->setVisible(!word.isEmpty());
}

} // namespace tamis::views
