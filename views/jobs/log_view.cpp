// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/jobs/log_view.h"

#include "views/common/icons.h"
#include "views/common/theme.h"

#include <QApplication>
#include <QClipboard>
#include <QComboBox>
#include <QHBoxLayout>
#include <QLineEdit>
#include <QListView>
#include <QMenu>
#include <QPushButton>
#include <QScrollBar>
#include <QShortcut>
#include <QSortFilterProxyModel>
#include <QVBoxLayout>

#include <algorithm>

namespace tamis::views {
namespace {
QString levelName(LogEntry::Level level)
{
    switch (level) {
    case LogEntry::Level::Warning: return LogView::tr("warning");
    case LogEntry::Level::Error: return LogView::tr("error");
    case LogEntry::Level::Information: break;
    }
    return LogView::tr("information");
}

class LogFilter : public QSortFilterProxyModel {
public:
    using QSortFilterProxyModel::QSortFilterProxyModel;
    void set(int least, const QString& text)
    {
        m_least = least;
        m_text = text;
        invalidateFilter();
    }

protected:
    bool filterAcceptsRow(int row, const QModelIndex& parent) const override
    {
        const QModelIndex at = sourceModel()->index(row, 0, parent);
        return at.data(LogModel::LevelRole).toInt() >= m_least && at.data(LogModel::TextRole).toString().contains(m_text, Qt::CaseInsensitive);
    }

private:
    int m_least = 0;
    QString m_text;
};

QString line(const QModelIndex& index)
{
    return QStringLiteral("%1\t%2\t%3").arg(index.data(LogModel::TimeRole).toDateTime().toString(Qt::ISODate),
                                            levelName(static_cast<LogEntry::Level>(index.data(LogModel::LevelRole).toInt())),
                                            index.data(LogModel::TextRole).toString());
}
} // namespace

void LogModel::append(const LogEntry& entry)
{
    if (m_entries.size() >= static_cast<std::size_t>(kEntryLimit)) {
        beginRemoveRows({}, 0, 0);
        m_entries.pop_front();
        endRemoveRows();
    }
    const int row = rowCount();
    beginInsertRows({}, row, row);
    m_entries.push_back(entry);
    endInsertRows();
}

void LogModel::clear()
{
    beginResetModel();
    m_entries.clear();
    endResetModel();
}

int LogModel::rowCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : static_cast<int>(m_entries.size()); }

QVariant LogModel::data(const QModelIndex& index, int role) const
{
    if (!checkIndex(index, CheckIndexOption::IndexIsValid | CheckIndexOption::ParentIsInvalid))
        return {};
    const LogEntry& entry = m_entries[static_cast<std::size_t>(index.row())];
    const bool error = entry.level == LogEntry::Level::Error, warning = entry.level == LogEntry::Level::Warning;
    switch (role) {
    case Qt::DisplayRole: return entry.time.toString(QStringLiteral("HH:mm:ss")) + QStringLiteral("  ") + entry.text.simplified();
    case Qt::DecorationRole:
        return error ? themedIcon(QStringLiteral("error"), Ink::Error)
                     : warning ? themedIcon(QStringLiteral("warning"), Ink::Warning) : themedIcon(QStringLiteral("info"), Ink::MutedText);
    case Qt::ForegroundRole: return error ? QVariant(Theme::instance().color(Ink::Error)) : QVariant();
    case Qt::ToolTipRole: return entry.text;
    case Qt::AccessibleTextRole: return levelName(entry.level) + QStringLiteral(": ") + entry.text;
    case LevelRole: return static_cast<int>(entry.level);
    case TextRole: return entry.text;
    case TimeRole: return entry.time;
    default: return {};
    }
}

LogView::LogView(QWidget* parent)
    : QWidget(parent), m_model(new LogModel(this)), m_proxy(new LogFilter(this)), m_view(new QListView(this)), m_level(new QComboBox(this)),
      m_text(new QLineEdit(this))
{
    m_proxy->setSourceModel(m_model);
    m_view->setObjectName(QStringLiteral("logList"));
    m_view->setAccessibleName(tr("Log"));
    m_view->setModel(m_proxy);
    m_view->setSelectionMode(QAbstractItemView::ExtendedSelection);
    m_view->setUniformItemSizes(true);
    m_view->setFrameShape(QFrame::NoFrame);
    m_view->setContextMenuPolicy(Qt::CustomContextMenu);
    m_level->setObjectName(QStringLiteral("logLevel"));
    m_level->setAccessibleName(tr("Least severity shown"));
    m_level->addItems({tr("everything"), tr("warnings and errors"), tr("errors")});
    m_text->setObjectName(QStringLiteral("logFilter"));
    m_text->setPlaceholderText(tr("Filter the log"));
    m_text->setAccessibleName(tr("Filter the log"));
    m_text->setClearButtonEnabled(true);
    auto* copyButton = new QPushButton(themedIcon(QStringLiteral("copy")), tr("Copy"), this);
    copyButton->setObjectName(QStringLiteral("logCopy"));
    copyButton->setToolTip(tr("Copy the selected messages, or all that are shown"));
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(Theme::kMargin, Theme::kSpacing, Theme::kMargin, Theme::kMargin);
    column->setSpacing(Theme::kSpacing / 2);
    auto* row = new QHBoxLayout;
    row->setSpacing(Theme::kSpacing);
    row->addWidget(m_text, 1);
    row->addWidget(m_level);
    row->addWidget(copyButton);
    column->addLayout(row);
    column->addWidget(m_view, 1);
    connect(m_level, &QComboBox::currentIndexChanged, this, &LogView::applyFilter);
    connect(m_text, &QLineEdit::textChanged, this, &LogView::applyFilter);
    connect(copyButton, &QPushButton::clicked, this, &LogView::copy);
    auto* shortcut = new QShortcut(QKeySequence::Copy, m_view);
    shortcut->setContext(Qt::WidgetShortcut);
    connect(shortcut, &QShortcut::activated, this, &LogView::copy);
    connect(m_view, &QWidget::customContextMenuRequested, this, [this](const QPoint& position) {
        QMenu menu(this);
        menu.addAction(tr("Copy"), this, &LogView::copy);
        menu.addAction(tr("Clear the log"), this, &LogView::clear);
        menu.exec(m_view->viewport()->mapToGlobal(position));
    });
}

void LogView::append(LogEntry::Level level, const QString& text) { append(LogEntry{level, text, QDateTime::currentDateTime()}); }

void LogView::append(const LogEntry& entry)
{
    const auto* bar = m_view->verticalScrollBar();
    const bool atEnd = bar->value() >= bar->maximum();
    m_model->append(entry);
    if (atEnd)
        m_view->scrollToBottom();
}

void LogView::clear() { m_model->clear(); }
void LogView::applyFilter() { static_cast<LogFilter*>(m_proxy)->set(m_level->currentIndex(), m_text->text()); }

QString LogView::shownText(bool selectedOnly) const
{
    QList<int> rows;
    if (selectedOnly)
        for (const auto& index : m_view->selectionModel()->selectedRows())
            rows.append(index.row());
    else
        for (int row = 0; row < m_proxy->rowCount(); ++row)
            rows.append(row);
    std::sort(rows.begin(), rows.end());
    QString text;
    for (const int row : rows)
        text += line(m_proxy->index(row, 0)) + QLatin1Char('\n');
    return text;
}

void LogView::copy() const { QApplication::clipboard()->setText(shownText(m_view->selectionModel()->hasSelection())); }

} // namespace tamis::views
