// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/encoder_report.h"

#include <QAbstractTableModel>

#include <vector>

namespace tamis::views {

/// Latents that tokens missed: how often, of how often they fire. Answers kSortRole, kFractionRole and kToneRole.
class MissedLatentModel : public QAbstractTableModel {
    Q_OBJECT
public:
    enum Column { LatentColumn, MissedColumn, ActiveColumn, ShareColumn, kColumnCount };

    using QAbstractTableModel::QAbstractTableModel;
    void setMissed(std::vector<report::MissedLatent> missed); ///< rows are kept where there are as many
    const report::MissedLatent* missed(int row) const;        ///< nullptr outside

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role = Qt::DisplayRole) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

private:
    std::vector<report::MissedLatent> m_missed;
    std::int64_t m_mostMissed = 0, m_mostActive = 0; ///< for bars
};

} // namespace tamis::views
