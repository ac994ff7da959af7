// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/encoder/token_latent_model.h"

#include "views/common/heading.h"
#include "views/common/inline_bar_delegate.h"
#include "views/common/number_format.h"
#include "views/common/theme.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tamis::views {
namespace {
using Model = TokenLatentModel;
constexpr Heading kHeadings[Model::kColumnCount] = {
    {QT_TRANSLATE_NOOP("TokenLatentModel", "Latent"), QT_TRANSLATE_NOOP("TokenLatentModel", "Row of the encoder")},
    {QT_TRANSLATE_NOOP("TokenLatentModel", "Exact"), QT_TRANSLATE_NOOP("TokenLatentModel", "Value in the exact set; a dash: only the encoder has it")},
    {QT_TRANSLATE_NOOP("TokenLatentModel", "Encoder"), QT_TRANSLATE_NOOP("TokenLatentModel", "Value that the encoder returns; a dash: it does not return it")},
    {QT_TRANSLATE_NOOP("TokenLatentModel", "Place"), QT_TRANSLATE_NOOP("TokenLatentModel", "In the encoder's order, from 1; in the colour of losses where it is missed")}};
} // namespace

void Model::setToken(const std::shared_ptr<const report::SampleLatents>& sample, int at, std::int64_t cut)
{
    std::vector<report::SampleLatents::Wanted> rows;
    if (sample && at >= 0 && at < static_cast<int>(sample->exact.size())) {
        rows = sample->exact[static_cast<std::size_t>(at)];
        for (const auto& other : sample->others[static_cast<std::size_t>(at)])
            rows.push_back({other.latent, std::numeric_limits<float>::quiet_NaN(), -1, other.value});
        m_coarse = sample->coarse;
    }
    m_cut = cut;
    const int before = rowCount(), after = static_cast<int>(rows.size()); // no reset: the rows stay scrolled while tokens are walked through
    if (after < before) {
        beginRemoveRows({}, after, before - 1);
        m_rows.resize(rows.size());
        endRemoveRows();
    } else if (after > before) {
        beginInsertRows({}, before, after - 1);
        m_rows.insert(m_rows.end(), rows.begin() + before, rows.end());
        endInsertRows();
    }
    m_rows = std::move(rows);
    m_most = 0;
    for (const auto& row : m_rows)
        for (const float value : {row.value, row.returned})
            if (!std::isnan(value))
                m_most = std::max(m_most, static_cast<double>(value));
    if (after > 0)
        emit dataChanged(index(0, 0), index(after - 1, kColumnCount - 1));
}

std::int32_t Model::latent(int row) const { return row >= 0 && row < rowCount() ? m_rows[static_cast<std::size_t>(row)].latent : -1; }

int Model::rowOf(std::int32_t latent) const
{
    const auto found = std::ranges::find(m_rows, latent, &report::SampleLatents::Wanted::latent);
    return found == m_rows.end() ? -1 : static_cast<int>(found - m_rows.begin());
}

bool Model::isMissed(int row) const
{
    if (row < 0 || row >= rowCount())
        return false;
    const auto& one = m_rows[static_cast<std::size_t>(row)];
    return !std::isnan(one.value) && !report::isFound(one, m_coarse, m_cut);
}

int Model::rowCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : static_cast<int>(m_rows.size()); }
int Model::columnCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : static_cast<int>(kColumnCount); }

QVariant Model::data(const QModelIndex& at, int role) const
{
    if (!at.isValid() || at.row() >= rowCount())
        return {};
    const auto& row = m_rows[static_cast<std::size_t>(at.row())];
    const double value = static_cast<double>(at.column() == ExactColumn ? row.value : row.returned);
    const bool number = at.column() == ExactColumn || at.column() == EncoderColumn;
    switch (role) {
    case Qt::DisplayRole:
        return at.column() == LatentColumn ? QString::number(row.latent) : number ? (std::isnan(value) ? QStringLiteral("–") : formatNumber(value, 4)) : row.place >= 0 ? QString::number(row.place + 1) : QStringLiteral("–");
    case Qt::TextAlignmentRole: return static_cast<int>(Qt::AlignRight | Qt::AlignVCenter);
    case Qt::ForegroundRole: return at.column() == PlaceColumn && isMissed(at.row()) ? QVariant(Theme::instance().color(Ink::Loss)) : QVariant();
    case Qt::ToolTipRole:
        return std::isnan(row.value) ? tr("Latent %1: only the encoder has it").arg(row.latent) : isMissed(at.row()) ? tr("Latent %1 is missed").arg(row.latent) : tr("Latent %1 is found").arg(row.latent);
    case kSortRole: return at.column() == LatentColumn ? QVariant(row.latent) : number ? QVariant(value) : QVariant(static_cast<qlonglong>(row.place >= 0 ? row.place + 1 : std::numeric_limits<int>::max()));
    case kFractionRole: return number && !std::isnan(value) && m_most > 0 ? QVariant(value / m_most) : QVariant();
    case kToneRole: return static_cast<int>(at.column() == ExactColumn && isMissed(at.row()) ? Ink::Loss : at.column() == ExactColumn ? Ink::Energy : Ink::Baseline);
    default: return {};
    }
}

QVariant Model::headerData(int section, Qt::Orientation orientation, int role) const
{
    const char* text = headingText(kHeadings, section, orientation, role);
    return text ? QVariant(tr(text)) : QVariant();
}

} // namespace tamis::views
