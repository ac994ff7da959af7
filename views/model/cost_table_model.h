// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/model_report.h"

#include <QAbstractTableModel>

#include <array>
#include <memory>

namespace tamis::views {

/// One row a layer: what it is and what it costs. Answers kSortRole, kFractionRole (share of the largest layer) and kToneRole.
class CostTableModel : public QAbstractTableModel {
    Q_OBJECT
public:
    enum Column {
        BlockColumn, NameColumn, KindColumn, FormColumn, InputColumn, OutputColumn, ParametersColumn, MacsColumn, WeightsColumn,
        ActivationsColumn, IntensityColumn, PredictedColumn, MeasuredColumn, kColumnCount
    };

    using QAbstractTableModel::QAbstractTableModel;

    /// Rows stay (dataChanged) when the layers are the same in the same order; otherwise the model is reset.
    void setReport(std::shared_ptr<const report::ModelCostReport> report);
    const report::ModelCostReport* report() const { return m_report.get(); }
    const report::LayerCost* layer(int row) const; ///< nullptr outside
    int rowOf(const QString& name) const;          ///< -1: unknown
    double number(int row, int column) const;      ///< NaN: a text, or not known

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

    static QString format(int column, double value);

private:
    QString text(int row, int column) const;

    std::shared_ptr<const report::ModelCostReport> m_report;
    std::array<double, kColumnCount> m_largest{};
};

/// One row: the sums over some rows of a CostTableModel. Counts and bytes add up, times add up when every layer with MACs has
/// one, the intensity is that of all these layers together.
class CostTotalsModel : public QAbstractTableModel {
    Q_OBJECT
public:
    using QAbstractTableModel::QAbstractTableModel;
    void setTotals(const CostTableModel& costs, const QList<int>& rows);

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;

private:
    std::array<double, CostTableModel::kColumnCount> m_values{};
    QString m_title;
};

} // namespace tamis::views
