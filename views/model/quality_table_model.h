// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/evaluation_report.h"

#include <QAbstractTableModel>

#include <memory>
#include <vector>

namespace tamis::views {

/// Dense against compressed, one row a quantity, only those that were measured. Answers kSortRole, kFractionRole and kToneRole.
class QualityTableModel : public QAbstractTableModel {
    Q_OBJECT
public:
    enum Column { QuantityColumn, DenseColumn, CompressedColumn, ChangeColumn, kColumnCount };

    using QAbstractTableModel::QAbstractTableModel;
    void setReport(const std::shared_ptr<const report::EvaluationReport>& report);

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

private:
    enum class Unit { Percent, Number, Count, Bytes, Milliseconds };
    enum class Better { Higher, Lower, Neither };
    struct Row {
        QString title, help;
        report::Measured dense, compressed; ///< not present: a dash
        Unit unit = Unit::Number;
        Better better = Better::Neither;
    };
    static QString text(const report::Measured& value, Unit unit);
    static QString change(const Row& row);
    int verdict(const Row& row) const; ///< 1: better, -1: worse, 0: neither, or within the spread

    std::vector<Row> m_rows;
};

} // namespace tamis::views
