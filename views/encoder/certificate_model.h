// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/encoder_report.h"

#include <QAbstractTableModel>

#include <memory>

namespace tamis::views {

/// What stands behind the set of one token.
enum class Certainty {
    Proven,   ///< bounds that always hold leave no other latent
    Probable, ///< bounds that hold with a probability
    Dense,    ///< too many candidates: every latent was scored
    Open      ///< some latent outside of the set may belong to it
};
Certainty certaintyOf(const report::TokenOutcome& outcome);
QString certaintyText(const report::TokenOutcome& outcome); ///< "proven", "with probability 1 − 0.001", "dense fall-back", "not proven"

/// The tokens of a certified encoder: candidates, margin, width of the bounds, and what is certain of the set. Answers kSortRole,
/// kFractionRole and kToneRole.
class CertificateModel : public QAbstractTableModel {
    Q_OBJECT
public:
    enum Column { TokenColumn, CandidatesColumn, MarginColumn, BoundColumn, CertaintyColumn, kColumnCount };

    using QAbstractTableModel::QAbstractTableModel;
    void setReport(std::shared_ptr<const report::EncoderReport> report); ///< null: none; rows are kept where there are as many

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role = Qt::DisplayRole) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

private:
    std::shared_ptr<const report::EncoderReport> m_report;
};

} // namespace tamis::views
