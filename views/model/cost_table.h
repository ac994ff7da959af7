// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/model_report.h"

#include <QStringList>
#include <QWidget>

#include <memory>

class QCheckBox;
class QLabel;
class QLineEdit;
class QSortFilterProxyModel;
class QTableView;

namespace tamis::views {

class CopyableTableView;
class CostTableModel;
class CostTotalsModel;

/// Layers and their costs with a filter and a row of totals that stays at the foot: of the whole model, or of the layers that
/// the filter leaves. The selection survives new values, sorting and filtering of other rows.
class CostTable : public QWidget {
    Q_OBJECT
public:
    explicit CostTable(QWidget* parent = nullptr);

    void setReport(std::shared_ptr<const report::ModelCostReport> report);
    void setSelection(const QStringList& names); ///< without a signal; scrolls to the first
    QStringList selection() const;               ///< in the order of the report; hidden rows are not selected
    CostTableModel* model() const { return m_model; }
    CopyableTableView* view() const { return m_view; }
    QTableView* totals() const { return m_totalsView; }

signals:
    void selectionChanged(const QStringList& names);

private:
    void buildViews();
    void alignTotals();
    void filter();

    CostTableModel* m_model;
    CostTotalsModel* m_totals;
    QSortFilterProxyModel* m_filter;
    CopyableTableView* m_view;
    QTableView* m_totalsView;
    QLineEdit* m_text;
    QCheckBox* m_withMacs;
    QLabel* m_count;
    bool m_quiet = false;
};

} // namespace tamis::views
