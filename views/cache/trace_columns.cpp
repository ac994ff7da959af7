// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/cache/trace_columns.h"

#include "views/common/icons.h"
#include "views/common/ink.h"

#include <QComboBox>
#include <QGridLayout>
#include <QLineEdit>
#include <QPushButton>

#include <algorithm>

namespace tamis::views {
namespace {
constexpr int kFieldsInARow = 4;
}

TraceColumns::TraceColumns(QWidget* parent) : QWidget(parent), m_word(mutedLabel(this, QStringLiteral("traceColumnsWord"))), m_format(new QComboBox(this))
{
    setObjectName(QStringLiteral("traceColumns"));
    auto* grid = new QGridLayout(this); // two rows: a window of 1280 pixels holds them
    grid->setContentsMargins(0, 0, 0, 0);
    m_format->setObjectName(QStringLiteral("traceFormat"));
    m_format->setToolTip(tr("How the file is written; automatic: by its name and its first bytes"));
    m_format->setAccessibleName(tr("Format of the trace"));
    auto* title = new QLabel(tr("For&mat"), this);
    title->setBuddy(m_format);
    grid->addWidget(m_word, 0, 0);
    grid->addWidget(title, 0, 1);
    grid->addWidget(m_format, 0, 2);
    m_id = field(grid, 1, tr("Column of &ids"), QStringLiteral("traceIdColumn"), tr("Name or number of the column that has the objects' ids"));
    m_time = field(grid, 2, tr("&times"), QStringLiteral("traceTimeColumn"), tr("Name or number of the column that has the times"));
    m_size = field(grid, 3, tr("si&zes"), QStringLiteral("traceSizeColumn"), tr("Name or number of the column that has the sizes in bytes"));
    m_cost = field(grid, 4, tr("&costs"), QStringLiteral("traceCostColumn"), tr("Name or number of the column that has what recomputing or fetching an object costs, in any unit"));
    m_uniqueness = field(grid, 5, tr("&uniqueness"), QStringLiteral("traceUniquenessColumn"), tr("Name or number of the column that has 1 / the number of objects that would do in its place, what GDSF and Hyperbolic multiply by"));
    m_operation = field(grid, 6, tr("&operations"), QStringLiteral("traceOperationColumn"), tr("Name or number of the column that tells reads from writes (w, write, set, put, ...), which the Levels page writes back or through; never found by itself"));
    auto* apply = new QPushButton(themedIcon(QStringLiteral("ok")), tr("&Read again"), this);
    apply->setObjectName(QStringLiteral("applyTraceColumns"));
    grid->addWidget(apply, 1, 1 + 2 * 3, 1, 2);
    grid->setColumnStretch(1 + 2 * kFieldsInARow, 1);
    const auto tell = [this] {
        emit applied({m_id->text().trimmed(), m_time->text().trimmed(), m_size->text().trimmed(), m_cost->text().trimmed(), m_uniqueness->text().trimmed(), m_operation->text().trimmed(), m_format->currentText()});
    };
    connect(apply, &QPushButton::clicked, this, tell);
    for (QLineEdit* edit : {m_id, m_time, m_size, m_cost, m_uniqueness, m_operation})
        connect(edit, &QLineEdit::returnPressed, this, tell);
    connect(m_format, &QComboBox::currentIndexChanged, this, &TraceColumns::showColumns);
    setWord({});
    showColumns();
}

QLineEdit* TraceColumns::field(QGridLayout* grid, int cell, const QString& title, const QString& name, const QString& help)
{
    auto* label = new QLabel(title, this);
    auto* edit = new QLineEdit(this);
    edit->setObjectName(name);
    edit->setToolTip(help);
    edit->setAccessibleName(help);
    edit->setPlaceholderText(tr("by name"));
    edit->setMaximumWidth(fontMetrics().averageCharWidth() * 18);
    label->setBuddy(edit);
    grid->addWidget(label, cell / kFieldsInARow, 1 + 2 * (cell % kFieldsInARow), Qt::AlignRight | Qt::AlignVCenter);
    grid->addWidget(edit, cell / kFieldsInARow, 2 + 2 * (cell % kFieldsInARow));
    m_ofTables.insert(m_ofTables.end(), {label, edit});
    return edit;
}

void TraceColumns::setFormats(const QStringList& names)
{
    m_format->clear();
    m_format->addItems(names);
}

void TraceColumns::setColumns(const Names& names, bool table)
{
    m_id->setText(names.id);
    m_time->setText(names.time);
    m_size->setText(names.size);
    m_cost->setText(names.cost);
    m_uniqueness->setText(names.uniqueness);
    m_operation->setText(names.operation);
    m_format->setCurrentText(names.format);
    m_table = table;
    showColumns();
}

void TraceColumns::showColumns()
{
    const bool shown = (m_table && m_format->currentIndex() <= 0) || m_format->currentText() == QLatin1String("csv");
    for (QWidget* each : m_ofTables)
        each->setVisible(shown);
}

void TraceColumns::setWord(const QString& word)
{
    m_word->setText(word);
    m_word->setVisible(!word.isEmpty());
}

} // namespace tamis::views
