// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/lowrank_report.h"

#include <QAbstractTableModel>

#include <array>
#include <memory>

namespace tamis::views {

/// What a method made of each matrix. Answers the roles of inline_bar_delegate.h.
class MatrixTableModel : public QAbstractTableModel {
    Q_OBJECT
public:
    enum Column {
        LayerColumn, NameColumn, RoleColumn, ShapeColumn, FormColumn, RankColumn, KeepColumn, LossColumn, HeldOutColumn, ExcessColumn, ConditionColumn, CoefficientColumn,
        WarningColumn, kColumnCount
    };
    using QAbstractTableModel::QAbstractTableModel;

    void setReport(std::shared_ptr<const report::LowRankReport> report); ///< null: none
    const report::LowRankMatrix* matrix(int row) const;                  ///< null: there is none
    int rowOf(const QString& name) const;                                ///< -1: there is none
    bool hasValues(int column) const;

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role = Qt::DisplayRole) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role = Qt::DisplayRole) const override;

private:
    double number(const report::LowRankMatrix& matrix, int column) const;
    QString text(const report::LowRankMatrix& matrix, int column) const;

    std::shared_ptr<const report::LowRankReport> m_report;
    std::array<double, kColumnCount> m_largest{};
};

} // namespace tamis::views
