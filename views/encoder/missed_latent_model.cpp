// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/encoder/missed_latent_model.h"

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
using Model = MissedLatentModel;
constexpr Heading kHeadings[Model::kColumnCount] = {
    {QT_TRANSLATE_NOOP("MissedLatentModel", "Latent"), QT_TRANSLATE_NOOP("MissedLatentModel", "Row of the encoder")},
    {QT_TRANSLATE_NOOP("MissedLatentModel", "Missed"), QT_TRANSLATE_NOOP("MissedLatentModel", "Tokens whose exact set has it and which did not find it")},
    {QT_TRANSLATE_NOOP("MissedLatentModel", "Fires"), QT_TRANSLATE_NOOP("MissedLatentModel", "Tokens whose exact set has it")},
    {QT_TRANSLATE_NOOP("MissedLatentModel", "Missed of fired"), QT_TRANSLATE_NOOP("MissedLatentModel", "Share of the tokens in which it fires")}};

double share(const report::MissedLatent& latent)
{
    return latent.active > 0 ? static_cast<double>(latent.count) / static_cast<double>(latent.active) : 0;
}
} // namespace

void Model::setMissed(std::vector<report::MissedLatent> missed)
{
    // A drag of the cut changes this many times a second: a reset would lose the scroll position. First as many rows, then their contents.
    const int before = rowCount(), after = static_cast<int>(missed.size());
    if (after < before) {
        beginRemoveRows({}, after, before - 1);
        m_missed.resize(missed.size());
        endRemoveRows();
    } else if (after > before) {
        beginInsertRows({}, before, after - 1);
        m_missed.insert(m_missed.end(), missed.begin() + before, missed.end());
        endInsertRows();
    }
    m_missed = std::move(missed);
    m_mostMissed = m_mostActive = 0;
    for (const auto& latent : m_missed) {
        m_mostMissed = std::max(m_mostMissed, latent.count);
        m_mostActive = std::max(m_mostActive, latent.active);
    }
    if (after > 0)
        emit dataChanged(index(0, 0), index(after - 1, kColumnCount - 1));
}

const report::MissedLatent* Model::missed(int row) const { return row >= 0 && row < rowCount() ? &m_missed[static_cast<std::size_t>(row)] : nullptr; }
int Model::rowCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : static_cast<int>(m_missed.size()); }
int Model::columnCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : static_cast<int>(kColumnCount); }

QVariant Model::data(const QModelIndex& at, int role) const
{
    const auto* latent = at.isValid() ? missed(at.row()) : nullptr;
    if (!latent)
        return {};
    const qlonglong whole = at.column() == LatentColumn ? latent->latent : at.column() == MissedColumn ? latent->count : latent->active;
    switch (role) {
    case Qt::DisplayRole: return at.column() == ShareColumn ? formatPercent(share(*latent)) : QString::number(whole);
    case Qt::TextAlignmentRole: return static_cast<int>(Qt::AlignRight | Qt::AlignVCenter);
    case Qt::ToolTipRole: return tr("Latent %1: missed in %2 of the %3 tokens that it fires in").arg(latent->latent).arg(latent->count).arg(latent->active);
    case kSortRole: return at.column() == ShareColumn ? QVariant(share(*latent)) : QVariant(whole);
    case kFractionRole:
        if (at.column() == LatentColumn)
            return {};
        if (at.column() == ShareColumn)
            return share(*latent);
        return static_cast<double>(whole) / static_cast<double>(std::max<std::int64_t>(at.column() == MissedColumn ? m_mostMissed : m_mostActive, 1));
    case kToneRole: return static_cast<int>(at.column() == ActiveColumn ? Ink::Baseline : Ink::Loss);
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
