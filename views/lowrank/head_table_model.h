// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/attention_map_report.h"

#include <QAbstractTableModel>

#include <vector>

namespace tamis::views {

/// Heads with what both approximations of the same parameters cost them. Answers kSortRole and kFractionRole.
class HeadTableModel : public QAbstractTableModel {
    Q_OBJECT
public:
    enum Column { LayerColumn, HeadColumn, JointMapColumn, SeparateMapColumn, GainColumn, JointOutputColumn, SeparateOutputColumn, JointLogitColumn,
                  SeparateLogitColumn, PlanMapColumn, kColumnCount };

    using QAbstractTableModel::QAbstractTableModel;
    void setHeads(const std::vector<report::AttentionHead>& heads); ///< keeps selections where the heads are the same
    int rowOf(int layer, int head) const; ///< -1: none
    const report::AttentionHead* head(int row) const; ///< nullptr outside
    bool hasPlan() const;

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

private:
    static double value(const report::AttentionHead& head, int column);
    std::vector<report::AttentionHead> m_heads;
    double m_most[kColumnCount] = {}; ///< for bars
};

} // namespace tamis::views
