// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/plan/operating_points.h"

#include "views/common/copyable_table_view.h"
#include "views/common/icons.h"
#include "views/common/inline_bar_delegate.h"
#include "views/common/pareto_chart.h"
#include "views/common/theme.h"
#include "views/plan/operating_points_model.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QPushButton>
#include <QShortcut>
#include <QSplitter>
#include <QVBoxLayout>

#include <algorithm>

namespace tamis::views {

OperatingPoints::OperatingPoints(QWidget* parent)
    : QWidget(parent), m_model(new OperatingPointsModel(this)), m_view(new CopyableTableView(this)), m_chart(new ParetoChart(this))
{
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(Theme::kMargin, Theme::kSpacing, Theme::kMargin, Theme::kMargin);
    column->setSpacing(Theme::kSpacing / 2);
    column->addWidget(buildButtons());
    auto* splitter = new QSplitter(Qt::Horizontal, this);
    splitter->setChildrenCollapsible(false);
    splitter->addWidget(m_view);
    splitter->addWidget(m_chart);
    splitter->setStretchFactor(0, 3);
    splitter->setStretchFactor(1, 2);
    column->addWidget(splitter, 1);
    m_chart->setObjectName(QStringLiteral("paretoChart"));
    m_view->setObjectName(QStringLiteral("operatingPointsTable"));
    m_view->setAccessibleName(tr("Operating points"));
    m_view->setSourceModel(m_model);
    m_view->setEmptyMessage(tr("Add the current configuration to compare it with others."));
    m_view->setEditTriggers(QAbstractItemView::EditKeyPressed);
    auto* bars = new InlineBarDelegate(m_view);
    for (int i = OperatingPointsModel::KeepColumn; i <= OperatingPointsModel::LossColumn; ++i)
        m_view->setItemDelegateForColumn(i, bars);
    const int digit = m_view->fontMetrics().horizontalAdvance(QLatin1Char('0'));
    constexpr int widths[OperatingPointsModel::kColumnCount] = {20, 9, 12, 11, 10, 11, 11, 13, 44};
    for (int i = 0; i < OperatingPointsModel::kColumnCount; ++i)
        m_view->setColumnWidth(i, widths[i] * digit + 2 * Theme::kSpacing);
    connect(m_model, &OperatingPointsModel::labelEdited, this, &OperatingPoints::labelEdited);
    connect(m_view, &CopyableTableView::selectedRowsChanged, this, [this](const QList<int>& rows) {
        m_chart->setSelected(rows.size() == 1 ? rows.first() : -1);
        updateButtons();
    });
    connect(m_view, &QAbstractItemView::doubleClicked, this,
            [this](const QModelIndex& index) { emit restoreRequested(m_view->toSource(index).row()); });
    connect(m_chart, &ParetoChart::pointActivated, this,
            [this](int index) { m_view->selectRow(m_view->fromSource(m_model->index(index, 0)).row()); });
    auto* erase = new QShortcut(QKeySequence::Delete, m_view);
    erase->setContext(Qt::WidgetShortcut);
    connect(erase, &QShortcut::activated, m_remove, &QPushButton::click);
    updateButtons();
}

QWidget* OperatingPoints::buildButtons()
{
    auto* box = new QWidget(this);
    auto* row = new QHBoxLayout(box);
    row->setContentsMargins(0, 0, 0, 0);
    row->setSpacing(Theme::kSpacing);
    const auto button = [&](const QString& name, const QString& icon, const QString& text, const QString& help) {
        auto* made = new QPushButton(themedIcon(icon), text, box);
        made->setObjectName(name);
        made->setToolTip(help);
        row->addWidget(made);
        return made;
    };
    m_add = button(QStringLiteral("addPoint"), QStringLiteral("add"), tr("Add current"), tr("Keep the configuration on screen as an operating point"));
    m_remove = button(QStringLiteral("removePoint"), QStringLiteral("remove"), tr("Remove"), tr("Remove the selected points (Delete)"));
    m_restore = button(QStringLiteral("restorePoint"), QStringLiteral("undo"), tr("Restore"), tr("Go back to the settings of the selected point (double click)"));
    row->addStretch(1);
    m_unit = new QComboBox(box);
    m_unit->setObjectName(QStringLiteral("paretoUnit"));
    m_unit->setAccessibleName(tr("Cost axis"));
    m_unit->setToolTip(tr("Cost on the chart's axis"));
    for (const auto unit : {CostUnit::Parameters, CostUnit::Bytes, CostUnit::Macs, CostUnit::Latency})
        m_unit->addItem(costUnitTitle(unit), static_cast<int>(unit));
    row->addWidget(m_unit);
    connect(m_unit, &QComboBox::currentIndexChanged, this, [this] { m_chart->setUnit(static_cast<CostUnit>(m_unit->currentData().toInt())); });
    connect(m_add, &QPushButton::clicked, this, &OperatingPoints::addRequested);
    connect(m_remove, &QPushButton::clicked, this, [this] {
        if (const auto rows = selected(); !rows.isEmpty())
            emit removeRequested(rows);
    });
    connect(m_restore, &QPushButton::clicked, this, [this] {
        if (const auto rows = selected(); rows.size() == 1)
            emit restoreRequested(rows.first());
    });
    return box;
}

QList<int> OperatingPoints::selected() const
{
    QList<int> rows;
    for (const QModelIndex& index : m_view->selectionModel()->selectedRows())
        rows.append(m_view->toSource(index).row());
    std::sort(rows.begin(), rows.end());
    return rows;
}

void OperatingPoints::updateButtons()
{
    const auto count = selected().size();
    m_add->setEnabled(m_hasCurrent);
    m_remove->setEnabled(count > 0);
    m_restore->setEnabled(count == 1);
}

void OperatingPoints::setPoints(const std::vector<report::OperatingPoint>& points)
{
    m_model->setPoints(points);
    m_chart->setPoints(points);
    const auto rows = selected();
    m_chart->setSelected(rows.size() == 1 ? rows.first() : -1);
    updateButtons();
}

void OperatingPoints::setCurrent(const std::optional<report::OperatingPoint>& point)
{
    m_hasCurrent = point.has_value();
    m_chart->setCurrent(point);
    updateButtons();
}

void OperatingPoints::setCaption(const QString& settings) { m_view->setCaption(settings); }

} // namespace tamis::views
