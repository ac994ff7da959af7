// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/encoder_tokens.h"

#include <QAbstractTableModel>

#include <cstdint>
#include <memory>
#include <vector>

namespace tamis::views {

/// Latents of one token: its exact set, largest first, with what the encoder returns and where it puts them; then what the encoder returns beside.
/// Answers kSortRole, kFractionRole and kToneRole.
class TokenLatentModel : public QAbstractTableModel {
    Q_OBJECT
public:
    enum Column { LatentColumn, ExactColumn, EncoderColumn, PlaceColumn, kColumnCount };

    using QAbstractTableModel::QAbstractTableModel;
    /// `at`: of the sample's tokens; outside, or null: no rows.
    void setToken(const std::shared_ptr<const report::SampleLatents>& sample, int at, std::int64_t cut);
    std::int32_t latent(int row) const; ///< -1 outside
    int rowOf(std::int32_t latent) const; ///< -1: it is in neither set
    bool isMissed(int row) const;

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role = Qt::DisplayRole) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

private:
    std::vector<report::SampleLatents::Wanted> m_rows; ///< value NaN: only the encoder has it
    bool m_coarse = false;
    std::int64_t m_cut = 1;
    double m_most = 0; ///< for bars
};

} // namespace tamis::views
