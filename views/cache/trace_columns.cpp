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
    m_cost = field(tr("&costs"), QStringLiteral("traceCostColumn"), tr("Name or number of the column that has what recomputing or fetching an object costs, in any unit"));
    m_uniqueness = field(tr("&uniqueness"), QStringLiteral("traceUniquenessColumn"), tr("Name or number of the column that has 1 / the number of objects that would do in its place, what GDSF and Hyperbolic multiply by"));
    auto* apply = new QPushButton(themedIcon(QStringLiteral("ok")), tr("&Read again"), this);
    apply->setObjectName(QStringLiteral("applyTraceColumns"));
    row->addWidget(apply);
    row->addStretch(1);
    const auto tell = [this] { emit applied({m_id->text().trimmed(), m_time->text().trimmed(), m_size->text().trimmed(), m_cost->text().trimmed(), m_uniqueness->text().trimmed()}); };
    connect(apply, &QPushButton::clicked, this, tell);
    for (QLineEdit* edit : {m_id, m_time, m_size, m_cost, m_uniqueness})
        connect(edit, &QLineEdit::returnPressed, this, tell);
    setWord({});
}

void TraceColumns::setColumns(const Names& names)
{
    m_id->setText(names.id);
    m_time->setText(names.time);
    m_size->setText(names.size);
    m_cost->setText(names.cost);
    m_uniqueness->setText(names.uniqueness);
}

void TraceColumns::setWord(const QString& word)
{
    m_word->setText(word);
    m_word->setVisible(!word.isEmpty());
}

} // namespace tamis::views
