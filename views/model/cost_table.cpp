// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/model/cost_table.h"

#include "views/common/copyable_table_view.h"
#include "views/common/inline_bar_delegate.h"
#include "views/common/theme.h"
#include "views/model/cost_table_model.h"

#include <QCheckBox>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QLabel>
#include <QLineEdit>
#include <QScrollBar>
#include <QSortFilterProxyModel>
#include <QVBoxLayout>

#include <algorithm>

namespace tamis::views {
namespace {
/// Rows whose name, kind, form or shape holds every word of the text; on demand only what multiplies.
class LayerFilter : public QSortFilterProxyModel {
public:
    using QSortFilterProxyModel::QSortFilterProxyModel;
    void set(const QString& text, bool withMacs)
    {
        m_words = text.simplified().split(QLatin1Char(' '), Qt::SkipEmptyParts);
        m_withMacs = withMacs;
        invalidateFilter();
    }

protected:
    bool filterAcceptsRow(int row, const QModelIndex&) const override
    {
        const auto& costs = *static_cast<const CostTableModel*>(sourceModel());
        if (m_withMacs && costs.layer(row)->macs == 0)
            return false;
        QStringList cells;
        for (int column = CostTableModel::NameColumn; column <= CostTableModel::OutputColumn; ++column)
            cells << costs.index(row, column).data().toString();
        const QString all = cells.join(QLatin1Char(' '));
        return std::all_of(m_words.begin(), m_words.end(), [&](const QString& word) { return all.contains(word, Qt::CaseInsensitive); });
    }

private:
    QStringList m_words;
    bool m_withMacs = false;
};
} // namespace

CostTable::CostTable(QWidget* parent)
    : QWidget(parent), m_model(new CostTableModel(this)), m_totals(new CostTotalsModel(this)), m_filter(new LayerFilter(this)),
      m_view(new CopyableTableView(this)), m_totalsView(new QTableView(this)), m_text(new QLineEdit(this)),
      m_withMacs(new QCheckBox(tr("only with MACs"), this)), m_count(new QLabel(this))
{
    m_filter->setSourceModel(m_model);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, Theme::kSpacing, 0, 0);
    column->setSpacing(Theme::kSpacing / 2);
    auto* row = new QHBoxLayout;
    row->setSpacing(Theme::kSpacing);
    m_text->setObjectName(QStringLiteral("layerFilter"));
    m_text->setPlaceholderText(tr("Filter layers"));
    m_text->setAccessibleName(tr("Filter layers"));
    m_text->setClearButtonEnabled(true);
    m_withMacs->setObjectName(QStringLiteral("layersWithMacs"));
    m_withMacs->setToolTip(tr("Hide norms, activations and look-ups"));
    m_count->setObjectName(QStringLiteral("layerCount"));
    row->addWidget(m_text, 1);
    row->addWidget(m_withMacs);
    row->addWidget(m_count);
    column->addLayout(row);
    column->addWidget(m_view, 1);
    column->addWidget(m_totalsView);
    buildViews();
    connect(m_text, &QLineEdit::textChanged, this, &CostTable::filter);
    connect(m_withMacs, &QCheckBox::toggled, this, &CostTable::filter);
    filter();
}

void CostTable::buildViews()
{
    m_view->setObjectName(QStringLiteral("costTable"));
    m_view->setAccessibleName(tr("Layers and their costs"));
    m_view->setSourceModel(m_filter);
    m_view->setEmptyMessage(tr("No layer matches, or no model is open."));
    auto* bars = new InlineBarDelegate(m_view);
    const int digit = m_view->fontMetrics().horizontalAdvance(QLatin1Char('0'));
    constexpr int widths[CostTableModel::kColumnCount] = {5, 21, 9, 15, 11, 11, 10, 8, 9, 10, 9, 9, 9}; // in digits
    for (int column = 0; column < CostTableModel::kColumnCount; ++column) {
        m_view->setColumnWidth(column, widths[column] * digit + 2 * Theme::kSpacing);
        if (column >= CostTableModel::ParametersColumn)
            m_view->setItemDelegateForColumn(column, bars);
    }
    m_view->setVerticalScrollBarPolicy(Qt::ScrollBarAlwaysOn); // the totals stand under the columns
    connect(m_view->selectionModel(), &QItemSelectionModel::selectionChanged, this, [this] {
        if (!m_quiet)
            emit selectionChanged(selection());
    });

    m_totalsView->setObjectName(QStringLiteral("costTotals"));
    m_totalsView->setAccessibleName(tr("Totals"));
    m_totalsView->setModel(m_totals);
    m_totalsView->setItemDelegate(new InlineBarDelegate(m_totalsView));
    for (int column = 0; column < CostTableModel::ParametersColumn; ++column)
        m_totalsView->setItemDelegateForColumn(column, new QStyledItemDelegate(m_totalsView));
    m_totalsView->horizontalHeader()->hide();
    m_totalsView->verticalHeader()->hide();
    m_totalsView->verticalHeader()->setDefaultSectionSize(m_view->verticalHeader()->defaultSectionSize());
    m_totalsView->setShowGrid(false);
    m_totalsView->setFrameShape(QFrame::NoFrame);
    m_totalsView->setSelectionMode(QAbstractItemView::NoSelection);
    m_totalsView->setFocusPolicy(Qt::NoFocus);
    m_totalsView->setHorizontalScrollMode(QAbstractItemView::ScrollPerPixel);
    m_totalsView->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    m_totalsView->setVerticalScrollBarPolicy(Qt::ScrollBarAlwaysOn);
    m_totalsView->setFixedHeight(m_view->verticalHeader()->defaultSectionSize());
    QFont bold = m_totalsView->font();
    bold.setWeight(QFont::DemiBold);
    m_totalsView->setFont(bold);
    auto* header = m_view->horizontalHeader();
    for (const int column : {CostTableModel::InputColumn, CostTableModel::OutputColumn}) // what a layer costs comes first
        header->moveSection(header->visualIndex(column), header->count() - 1);
    connect(header, &QHeaderView::sectionResized, this, &CostTable::alignTotals);
    connect(header, &QHeaderView::sectionMoved, this, &CostTable::alignTotals);
    connect(m_view->horizontalScrollBar(), &QScrollBar::valueChanged, this, &CostTable::alignTotals);
    connect(m_view->horizontalScrollBar(), &QScrollBar::rangeChanged, this, &CostTable::alignTotals);
    alignTotals();
}

void CostTable::alignTotals()
{
    auto *from = m_view->horizontalHeader(), *to = m_totalsView->horizontalHeader();
    for (int visual = 0; visual < from->count(); ++visual) {
        const int column = from->logicalIndex(visual);
        to->moveSection(to->visualIndex(column), visual);
        to->setSectionHidden(column, from->isSectionHidden(column));
        if (!from->isSectionHidden(column))
            to->resizeSection(column, from->sectionSize(column));
    }
    m_totalsView->horizontalScrollBar()->setRange(m_view->horizontalScrollBar()->minimum(), m_view->horizontalScrollBar()->maximum());
    m_totalsView->horizontalScrollBar()->setValue(m_view->horizontalScrollBar()->value());
}

void CostTable::setReport(std::shared_ptr<const report::ModelCostReport> report)
{
    const QStringList before = selection();
    m_quiet = true;
    m_model->setReport(std::move(report));
    m_quiet = false;
    filter();
    if (selection() != before)
        setSelection(before); // the model was reset: what is still there stays selected
}

void CostTable::filter()
{
    static_cast<LayerFilter*>(m_filter)->set(m_text->text(), m_withMacs->isChecked());
    m_count->setText(tr("%1 of %2").arg(m_filter->rowCount()).arg(m_model->rowCount()));
    QList<int> rows;
    for (int row = 0; row < m_filter->rowCount(); ++row)
        rows.append(m_filter->mapToSource(m_filter->index(row, 0)).row());
    m_totals->setTotals(*m_model, rows);
    const auto* report = m_model->report();
    m_view->setCaption(report ? tr("%1, %2 tokens, batch %3, against %4: %5 GFLOP/s, %6 GB/s")
                                    .arg(QString::fromStdString(report->family)).arg(report->tokens).arg(report->batch)
                                    .arg(QString::fromStdString(report->ceilings.name)).arg(report->ceilings.gflops).arg(report->ceilings.gigabytesPerSecond)
                              : QString());
}

QStringList CostTable::selection() const
{
    QList<int> rows;
    for (const QModelIndex& index : m_view->selectionModel()->selectedRows(CostTableModel::NameColumn))
        rows.append(m_filter->mapToSource(m_view->toSource(index)).row());
    std::sort(rows.begin(), rows.end());
    QStringList names;
    for (const int row : rows)
        names << QString::fromStdString(m_model->layer(row)->name);
    return names;
}

void CostTable::setSelection(const QStringList& names)
{
    QItemSelection chosen;
    QModelIndex first;
    for (const auto& name : names) {
        const int row = m_model->rowOf(name);
        const QModelIndex at = row < 0 ? QModelIndex() : m_view->fromSource(m_filter->mapFromSource(m_model->index(row, CostTableModel::NameColumn)));
        if (!at.isValid())
            continue;
        chosen.select(at, at);
        if (!first.isValid())
            first = at.siblingAtColumn(CostTableModel::BlockColumn); // the table does not scroll aside
    }
    m_quiet = true;
    m_view->selectionModel()->select(chosen, QItemSelectionModel::ClearAndSelect | QItemSelectionModel::Rows);
    if (first.isValid() && !names.contains(m_view->currentIndex().siblingAtColumn(CostTableModel::NameColumn).data().toString())) {
        m_view->selectionModel()->setCurrentIndex(first, QItemSelectionModel::NoUpdate);
        m_view->scrollTo(first);
    }
    m_quiet = false;
}

} // namespace tamis::views
