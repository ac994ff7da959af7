// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/model_report.h"

#include <QAbstractTableModel>

#include <vector>

namespace tamis::views {

/// One row a site: statistics of what enters a linear operator. Answers kSortRole and kFractionRole.
class ActivationStatisticsModel : public QAbstractTableModel {
    Q_OBJECT
public:
    enum Column {
        BlockColumn, NameColumn, FeaturesColumn, RmsColumn, MeanAbsoluteColumn, MaximumColumn, KurtosisColumn, OutliersColumn,
        TopFeaturesColumn, EffectiveRankColumn, kColumnCount
    };

    using QAbstractTableModel::QAbstractTableModel;

    void setStatistics(std::vector<report::ActivationStatistics> statistics);
    const std::vector<report::ActivationStatistics>& statistics() const noexcept { return m_sites; }
    int rowOf(const QString& name) const; ///< -1: unknown
    static double value(const report::ActivationStatistics& site, int column); ///< NaN: a text, or not computed

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

private:
    std::vector<report::ActivationStatistics> m_sites;
};

} // namespace tamis::views
