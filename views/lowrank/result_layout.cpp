// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/lowrank/result_layout.h"

#include "views/common/copyable_table_view.h"
#include "views/common/ink.h"
#include "views/common/inline_bar_delegate.h"
#include "views/common/notice_bar.h"
#include "views/common/theme.h"

#include <QHeaderView>
#include <QSortFilterProxyModel>
#include <QSplitter>
#include <QStackedWidget>
#include <QVBoxLayout>

#include <algorithm>

namespace tamis::views {
namespace {
constexpr int kTableHeight = 110; ///< at least
} // namespace

ResultLayout::ResultLayout(QWidget* page, const Parts& parts) : QObject(page), m_parts(parts)
{
    auto* whole = new QVBoxLayout(page);
    whole->setContentsMargins(0, Theme::kSpacing, 0, 0);
    whole->addWidget(parts.pages);
    parts.pages->addWidget(parts.empty);
    m_rows = new QSplitter(Qt::Vertical, parts.pages);
    m_rows->setChildrenCollapsible(false);
    m_rows->setHandleWidth(Theme::kSpacing);
    auto* side = new QWidget(page);
    auto* column = new QVBoxLayout(side);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(Theme::kSpacing / 2);
    auto* row = new QHBoxLayout;
    m_state = mutedLabel(side, parts.stateName);
    m_state->setTextInteractionFlags(Qt::TextSelectableByMouse);
    m_state->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    m_stale = inkedLabel(side, parts.staleName, Ink::Stale);
    m_stale->setText(tr("of older settings"));
    m_stale->hide();
    row->addWidget(m_state, 1);
    row->addWidget(m_stale);
    column->addLayout(row);
    m_bars = new InlineBarDelegate(parts.table);
    parts.table->setMinimumHeight(kTableHeight);
    parts.table->sortByColumn(-1, Qt::AscendingOrder); // the source's order, until a header is clicked
    connect(parts.table, &CopyableTableView::selectedRowsChanged, this, [this](const QList<int>& rows) {
        if (!m_quiet)
            emit rowsSelected(rows);
    });
    column->addWidget(parts.table, 1);
    m_rows->addWidget(side);
    parts.pages->addWidget(m_rows);
}

void ResultLayout::addCharts(QWidget* charts, int tableStretch, int chartStretch, const QList<int>& heights)
{
    m_rows->addWidget(charts);
    m_rows->setStretchFactor(0, tableStretch);
    m_rows->setStretchFactor(1, chartStretch);
    m_rows->setSizes(heights);
}

void ResultLayout::setColumn(int column, int width, bool bar)
{
    m_parts.table->setColumnWidth(column, std::max(width, m_parts.table->horizontalHeader()->sectionSizeHint(column)));
    if (bar)
        m_parts.table->setItemDelegateForColumn(column, m_bars);
}

void ResultLayout::showResult(bool any) { m_parts.pages->setCurrentIndex(any ? 1 : 0); }

void ResultLayout::select(const QList<int>& sourceRows, bool scroll)
{
    CopyableTableView* table = m_parts.table;
    const auto* model = table->proxy()->sourceModel();
    QItemSelection chosen;
    QModelIndex first;
    for (const int row : sourceRows) {
        const QModelIndex at = table->fromSource(model->index(row, 0));
        if (!at.isValid())
            continue;
        chosen.select(at, at);
        if (!first.isValid())
            first = at;
    }
    const auto still = quiet();
    table->selectionModel()->select(chosen, QItemSelectionModel::ClearAndSelect | QItemSelectionModel::Rows);
    if (scroll && first.isValid())
        table->scrollTo(first);
}

} // namespace tamis::views
