// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/lowrank_report.h"
#include "views/lowrank/comparison_measure.h"

#include <QAbstractTableModel>

#include <array>
#include <memory>

namespace tamis::views {

/// A comparison as a table, a configuration a row. Answers the roles of inline_bar_delegate.h.
class ComparisonTableModel : public QAbstractTableModel {
    Q_OBJECT
public:
    enum Column {
        MethodColumn, KeepColumn, PerplexityColumn, BitsColumn, Top1Column, Top5Column, KlColumn, AgreementColumn, CosineColumn, HeldOutColumn, CalibrationColumn,
        ParametersColumn, BytesColumn, MacsColumn, LatencyColumn, SecondsColumn, SettingsColumn, kColumnCount
    };
    using QAbstractTableModel::QAbstractTableModel;

    /// Rows that are there stay, with the selection on them, as long as the new report begins with the same configurations.
    void setComparison(std::shared_ptr<const report::MethodComparison> comparison); ///< null: none
    const report::MethodComparison* comparison() const noexcept { return m_comparison.get(); }
    const report::ComparisonRow* row(int index) const; ///< null: there is none
    /// Columns that hold a value in some row; the others are for hiding.
    bool hasValues(int column) const;
    static bool measureOf(int column, ComparisonMeasure& measure); ///< false: not a column of a measure

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role = Qt::DisplayRole) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role = Qt::DisplayRole) const override;

private:
    QString text(const report::ComparisonRow& row, int column) const;
    double number(const report::ComparisonRow& row, int column) const;
    QString help(const report::ComparisonRow& row) const;

    std::shared_ptr<const report::MethodComparison> m_comparison;
    int m_rows = 0;
    std::array<double, kColumnCount> m_largest{};
    std::vector<int> m_colors;
};

} // namespace tamis::views
