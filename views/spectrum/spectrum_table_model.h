// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/budget_report.h"
#include "core/report/spectrum_report.h"

#include <QAbstractTableModel>

#include <memory>
#include <vector>

namespace tamis::views {

/// One row a matrix: what it is, what its spectrum says, and what the budget chose for it. Edits are intents: the model
/// changes when the next budget comes. Answers kSortRole, kFractionRole and kToneRole.
class SpectrumTableModel : public QAbstractTableModel {
    Q_OBJECT
public:
    enum Column {
        LayerColumn, NameColumn, RoleColumn, ShapeColumn, DtypeColumn, ParametersColumn, StableRankColumn,
        EffectiveRankColumn, ConditionColumn, RankColumn, KeepColumn, LossColumn, HeldOutColumn, LockColumn, kColumnCount
    };

    using QAbstractTableModel::QAbstractTableModel;

    /// Rows stay (dataChanged) when the matrices are the same in the same order; otherwise the model is reset.
    void setReport(std::shared_ptr<const report::SpectrumReport> report);
    void setBudget(std::shared_ptr<const report::BudgetReport> budget); ///< matched by name
    const report::MatrixSpectrum* spectrum(int row) const; ///< nullptr outside
    const report::MatrixBudget* budget(int row) const;     ///< nullptr: none yet
    int rowOf(const QString& name) const;                  ///< -1: unknown
    std::int64_t fullRank(int row) const;                  ///< min(rows, cols)

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;
    Qt::ItemFlags flags(const QModelIndex& index) const override;
    bool setData(const QModelIndex& index, const QVariant& value, int role) override;

signals:
    void rankEdited(const QString& name, qlonglong rank);
    void rankCleared(const QString& name);
    void lockToggled(const QString& name, bool locked);

private:
    QString text(int row, int column) const;
    QVariant sortValue(int row, int column) const;
    QVariant fraction(int row, int column) const;
    QString toolTip(int row, int column) const;
    double number(int row, int column) const; ///< NaN: not defined
    void matchBudget();

    std::shared_ptr<const report::SpectrumReport> m_report;
    std::shared_ptr<const report::BudgetReport> m_budget;
    std::vector<int> m_budgetRow; ///< [rows] into m_budget->matrices, -1: none
};

} // namespace tamis::views
