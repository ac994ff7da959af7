// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/attention/head_error_model.h"

#include "views/attention/attention_words.h"
#include "views/common/heading.h"
#include "views/common/inline_bar_delegate.h"
#include "views/common/number_format.h"
#include "views/common/theme.h"

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
constexpr Heading kHeadings[HeadErrorModel::kColumnCount] = {
    {QT_TRANSLATE_NOOP("HeadErrorModel", "Of"), QT_TRANSLATE_NOOP("HeadErrorModel", "What the errors are of")},
    {QT_TRANSLATE_NOOP("HeadErrorModel", "Map error"), QT_TRANSLATE_NOOP("HeadErrorModel", "Mean over queries of sum |p - p'| / 2")},
    {QT_TRANSLATE_NOOP("HeadErrorModel", "Output error"), QT_TRANSLATE_NOOP("HeadErrorModel", "|o - o'| / |o| of the mixed values")}};
} // namespace

void HeadErrorModel::setErrors(const report::AttentionHeadView& view, const report::HeadComparison* head, const std::vector<report::TrivialErrors>& trivial, std::size_t samples)
{
    std::vector<Row> rows;
    rows.push_back({tr("This head, here"), tr("Layer %1, head %2 on the shown sample").arg(view.layer).arg(view.head), view.errors.map, view.errors.output, false});
    if (head)
        rows.push_back({samples == 1 ? tr("This head, 1 sample") : tr("This head, %1 samples").arg(samples), tr("The same head over the samples"), head->map, head->output, false});
    for (const auto& each : trivial)
        rows.push_back({words(each.title), tr("A trivial operator in the same places, mean over heads"), each.map, each.output, true});
    take(std::move(rows));
}

void HeadErrorModel::clear() { take({}); }

void HeadErrorModel::take(std::vector<Row> rows)
{
    const bool same = rows == m_rows;
    if (!same)
        beginResetModel();
    m_rows = std::move(rows);
    m_most[0] = m_most[1] = 0;
    for (const Row& row : m_rows) {
        m_most[0] = std::max(m_most[0], std::isfinite(row.map) ? row.map : 0);
        m_most[1] = std::max(m_most[1], std::isfinite(row.output) ? row.output : 0);
    }
    if (!same)
        endResetModel();
    else if (!m_rows.empty())
        emit dataChanged(index(0, 0), index(rowCount() - 1, kColumnCount - 1));
}

int HeadErrorModel::rowCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : static_cast<int>(m_rows.size()); }
int HeadErrorModel::columnCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : static_cast<int>(kColumnCount); }

QVariant HeadErrorModel::data(const QModelIndex& at, int role) const
{
    if (!at.isValid() || at.row() >= rowCount())
        return {};
    const Row& row = m_rows[static_cast<std::size_t>(at.row())];
    if (role == Qt::ToolTipRole)
        return row.help;
    if (at.column() == OfColumn)
        return role == Qt::DisplayRole || role == kSortRole ? QVariant(row.title) : QVariant();
    const double number = at.column() == MapColumn ? row.map : row.output, most = m_most[at.column() - MapColumn];
    switch (role) {
    case Qt::DisplayRole: return formatNumber(number, 3);
    case Qt::TextAlignmentRole: return static_cast<int>(Qt::AlignRight | Qt::AlignVCenter);
    case kSortRole: return number;
    case kFractionRole: return std::isfinite(number) && most > 0 ? QVariant(std::clamp(number / most, 0.0, 1.0)) : QVariant();
    case kToneRole: return static_cast<int>(row.trivial ? Ink::Baseline : Ink::Accent);
    default: return {};
    }
}

QVariant HeadErrorModel::headerData(int section, Qt::Orientation orientation, int role) const
{
    const char* text = headingText(kHeadings, section, orientation, role);
    return text ? QVariant(tr(text)) : QVariant();
}

} // namespace tamis::views
