// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "views/reuse/shown_runs.h"

#include <QAbstractTableModel>

#include <memory>

namespace tamis::views {

/// The runs of a report beside one another. Answers kSortRole and kFractionRole.
class ReuseRunModel : public QAbstractTableModel {
    Q_OBJECT
public:
    enum Column { RunColumn, MacsColumn, TimeColumn, MeanColumn, WorstColumn, KlColumn, AgreementColumn, DriftColumn, OverheadColumn, WholeColumn, FalseColumn, kColumnCount };

    using QAbstractTableModel::QAbstractTableModel;
    void setRuns(std::shared_ptr<const ShownRuns> runs); ///< keeps selections where the runs are the same
    const report::ReuseRun* run(int row) const; ///< nullptr outside

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

private:
    QString shown(const report::ReuseRun& run, int column) const;
    std::shared_ptr<const ShownRuns> m_runs;
    double m_most[kColumnCount] = {}; ///< for bars
};

/// The number of a column; NaN: not measured, or a column of words.
double runValue(const report::ReuseRun& run, int column);

} // namespace tamis::views
