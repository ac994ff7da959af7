// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/model_report.h"

#include <QAbstractTableModel>

#include <vector>

namespace tamis::views {

/// An encoder that was trained.
struct TrainedRow {
    int number = 0;            ///< what it is called by
    QString method, settings;
    qlonglong steps = -1;      ///< of training; -1: not known
    double seconds = 0;        ///< 0: read from a file
    double heldOut = report::kNotMeasured; ///< best loss on the rows kept apart
    double recall = report::kNotMeasured;  ///< mean, once it was measured
    double macs = report::kNotMeasured;    ///< share of the exact encoder's
    QString file;              ///< empty: it is not written yet
    bool current = false;
};

/// The session's trained encoders, newest first. Answers kSortRole.
class TrainedModel : public QAbstractTableModel {
    Q_OBJECT
public:
    enum Column { MethodColumn, SettingsColumn, StepsColumn, HeldOutColumn, RecallColumn, MacsColumn, FileColumn, kColumnCount };

    using QAbstractTableModel::QAbstractTableModel;
    void setRows(std::vector<TrainedRow> rows); ///< kept in place where there are as many
    const TrainedRow* at(int row) const;        ///< nullptr outside

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role = Qt::DisplayRole) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

private:
    std::vector<TrainedRow> m_rows;
};

} // namespace tamis::views
