// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/encoder_report.h"

#include <QAbstractTableModel>

#include <memory>
#include <vector>

namespace tamis::views {

/// A range of speed-ups that shapes alone allow: where one token takes as long as its bytes or its multiply-adds, whichever machine it is,
/// the speed-up lies between the ratio of the bytes and that of the multiply-adds.
struct SpeedUpRange {
    double low = 0, high = 0;
};
SpeedUpRange predictedSpeedUp(const report::EncoderReport& report);

/// What the encoder costs beside the exact one: multiply-adds, bytes read and memory from the shapes, milliseconds as measured, and the
/// speed-up both as predicted and as measured.
class EncoderCostModel : public QAbstractTableModel {
    Q_OBJECT
public:
    enum Column { QuantityColumn, EncoderColumn, ExactColumn, PredictedColumn, MeasuredColumn, kColumnCount };

    using QAbstractTableModel::QAbstractTableModel;
    void setReport(std::shared_ptr<const report::EncoderReport> report); ///< null: none

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role = Qt::DisplayRole) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

private:
    enum class Unit { Count, Bytes, Milliseconds };
    struct Row {
        QString quantity, help;
        Unit unit = Unit::Count;
        double encoder = 0, exact = 0, p99 = report::kNotMeasured;
        SpeedUpRange predicted;
        double measured = report::kNotMeasured;
    };
    static QString number(Unit unit, double value);
    std::vector<Row> m_rows;
};

} // namespace tamis::views
