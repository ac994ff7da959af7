// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/encoder/certificate_model.h"

#include "views/common/inline_bar_delegate.h"
#include "views/common/number_format.h"
#include "views/common/theme.h"

#include <algorithm>

namespace tamis::views {
namespace {
struct Heading {
    const char* title;
    const char* help;
};
using Model = CertificateModel;
constexpr Heading kHeadings[Model::kColumnCount] = {
    {QT_TRANSLATE_NOOP("CertificateModel", "Token"), QT_TRANSLATE_NOOP("CertificateModel", "Row of the activations that are measured on")},
    {QT_TRANSLATE_NOOP("CertificateModel", "Candidates"), QT_TRANSLATE_NOOP("CertificateModel", "Latents whose exact score was computed")},
    {QT_TRANSLATE_NOOP("CertificateModel", "Margin"), QT_TRANSLATE_NOOP("CertificateModel", "k-th value less the largest bound outside of the set")},
    {QT_TRANSLATE_NOOP("CertificateModel", "ε √D"), QT_TRANSLATE_NOOP("CertificateModel", "Width of the bounds over the spread of the scores")},
    {QT_TRANSLATE_NOOP("CertificateModel", "Certificate"), QT_TRANSLATE_NOOP("CertificateModel", "What stands behind the set")}};

Ink toneOf(Certainty certainty)
{
    switch (certainty) {
    case Certainty::Proven: return Ink::Energy;
    case Certainty::Probable: return Ink::HeldOut;
    case Certainty::Dense: return Ink::Baseline;
    case Certainty::Open: return Ink::Loss;
    }
    return Ink::Text;
}
} // namespace

Certainty certaintyOf(const report::TokenOutcome& outcome)
{
    if (outcome.dense)
        return Certainty::Dense;
    if (!(outcome.margin >= 0))
        return Certainty::Open;
    return outcome.failure > 0 ? Certainty::Probable : Certainty::Proven;
}

QString certaintyText(const report::TokenOutcome& outcome)
{
    switch (certaintyOf(outcome)) {
    case Certainty::Proven: return Model::tr("proven");
    case Certainty::Probable: return Model::tr("with probability 1 − %1").arg(formatNumber(outcome.failure, 2));
    case Certainty::Dense: return Model::tr("dense fall-back");
    case Certainty::Open: return Model::tr("not proven");
    }
    return {};
}

void Model::setReport(std::shared_ptr<const report::EncoderReport> report)
{
    const int before = rowCount(), after = report && report->certified ? static_cast<int>(report->outcomes.size()) : 0;
    if (after != before)
        beginResetModel();
    m_report = after > 0 ? std::move(report) : nullptr;
    if (after != before)
        endResetModel();
    else if (after > 0) // a slider that is dragged does not lose the place
        emit dataChanged(index(0, 0), index(after - 1, kColumnCount - 1));
}

int Model::rowCount(const QModelIndex& parent) const { return parent.isValid() || !m_report ? 0 : static_cast<int>(m_report->outcomes.size()); }
int Model::columnCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : static_cast<int>(kColumnCount); }

QVariant Model::data(const QModelIndex& at, int role) const
{
    if (!at.isValid() || at.row() >= rowCount())
        return {};
    const auto& outcome = m_report->outcomes[static_cast<std::size_t>(at.row())];
    switch (role) {
    case Qt::DisplayRole:
        switch (at.column()) {
        case TokenColumn: return QString::number(at.row());
        case CandidatesColumn: return QString::number(outcome.candidates);
        case MarginColumn: return formatNumber(outcome.margin, 3);
        case BoundColumn: return formatNumber(outcome.bound, 3);
        default: return certaintyText(outcome);
        }
    case Qt::TextAlignmentRole: return static_cast<int>((at.column() == CertaintyColumn ? Qt::AlignLeft : Qt::AlignRight) | Qt::AlignVCenter);
    case Qt::ForegroundRole: return at.column() == CertaintyColumn ? QVariant(Theme::instance().color(toneOf(certaintyOf(outcome)))) : QVariant();
    case Qt::ToolTipRole: return tr("Token %1: %2 of %3 latents scored exactly, %4").arg(at.row()).arg(outcome.candidates).arg(m_report->latents).arg(certaintyText(outcome));
    case kSortRole:
        switch (at.column()) {
        case TokenColumn: return at.row();
        case CandidatesColumn: return outcome.candidates;
        case MarginColumn: return outcome.margin;
        case BoundColumn: return outcome.bound;
        default: return certaintyText(outcome); // tables are written with it
        }
    case kFractionRole:
        return at.column() == CandidatesColumn ? QVariant(static_cast<double>(outcome.candidates) / static_cast<double>(std::max<std::int64_t>(m_report->latents, 1))) : QVariant();
    case kToneRole: return static_cast<int>(toneOf(certaintyOf(outcome)));
    default: return {};
    }
}

QVariant Model::headerData(int section, Qt::Orientation orientation, int role) const
{
    if (orientation != Qt::Horizontal || section < 0 || section >= kColumnCount)
        return {};
    return role == Qt::DisplayRole ? QVariant(tr(kHeadings[section].title)) : role == Qt::ToolTipRole ? QVariant(tr(kHeadings[section].help)) : QVariant();
}

} // namespace tamis::views
