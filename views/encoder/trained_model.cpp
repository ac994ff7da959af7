// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/encoder/trained_model.h"

#include "views/common/inline_bar_delegate.h"
#include "views/common/number_format.h"

#include <QFileInfo>
#include <QFont>

namespace tamis::views {
namespace {
struct Heading {
    const char* title;
    const char* help;
};
using Model = TrainedModel;
constexpr Heading kHeadings[Model::kColumnCount] = {
    {QT_TRANSLATE_NOOP("TrainedModel", "Encoder"), QT_TRANSLATE_NOOP("TrainedModel", "Method that trained it; the one in bold is current")},
    {QT_TRANSLATE_NOOP("TrainedModel", "Settings"), QT_TRANSLATE_NOOP("TrainedModel", "Parameters that differ from their defaults")},
    {QT_TRANSLATE_NOOP("TrainedModel", "Steps"), QT_TRANSLATE_NOOP("TrainedModel", "Of training, and how long they took")},
    {QT_TRANSLATE_NOOP("TrainedModel", "Held-out loss"), QT_TRANSLATE_NOOP("TrainedModel", "Best loss on the rows that were kept apart")},
    {QT_TRANSLATE_NOOP("TrainedModel", "Recall"), QT_TRANSLATE_NOOP("TrainedModel", "Mean over the tokens that are measured on, once it was current")},
    {QT_TRANSLATE_NOOP("TrainedModel", "MACs of exact"), QT_TRANSLATE_NOOP("TrainedModel", "Multiply-adds a token, of the exact encoder's")},
    {QT_TRANSLATE_NOOP("TrainedModel", "File"), QT_TRANSLATE_NOOP("TrainedModel", "Where it was written to or read from")}};
} // namespace

void Model::setRows(std::vector<TrainedRow> rows)
{
    const bool same = rows.size() == m_rows.size();
    if (!same)
        beginResetModel();
    m_rows = std::move(rows);
    if (!same)
        endResetModel();
    else if (!m_rows.empty())
        emit dataChanged(index(0, 0), index(rowCount() - 1, kColumnCount - 1));
}

const TrainedRow* Model::at(int row) const { return row >= 0 && row < rowCount() ? &m_rows[static_cast<std::size_t>(row)] : nullptr; }
int Model::rowCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : static_cast<int>(m_rows.size()); }
int Model::columnCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : static_cast<int>(kColumnCount); }

QVariant Model::data(const QModelIndex& place, int role) const
{
    const auto* row = place.isValid() ? at(place.row()) : nullptr;
    if (!row)
        return {};
    const bool words = place.column() == MethodColumn || place.column() == SettingsColumn || place.column() == FileColumn;
    if (role == Qt::DisplayRole)
        switch (place.column()) {
        case MethodColumn: return row->method;
        case SettingsColumn: return row->settings;
        case StepsColumn: return row->steps < 0 ? QStringLiteral("–") : row->seconds > 0 ? tr("%1 in %2").arg(row->steps).arg(formatDuration(row->seconds)) : QString::number(row->steps);
        case HeldOutColumn: return formatNumber(row->heldOut, 4);
        case RecallColumn: return formatPercent(row->recall, 2);
        case MacsColumn: return formatPercent(row->macs);
        default: return row->file.isEmpty() ? tr("not saved") : QFileInfo(row->file).fileName();
        }
    if (role == kSortRole)
        switch (place.column()) {
        case StepsColumn: return row->steps;
        case HeldOutColumn: return row->heldOut;
        case RecallColumn: return row->recall;
        case MacsColumn: return row->macs;
        default: return data(place, Qt::DisplayRole);
        }
    if (role == Qt::TextAlignmentRole)
        return static_cast<int>((words ? Qt::AlignLeft : Qt::AlignRight) | Qt::AlignVCenter);
    if (role == Qt::ToolTipRole)
        return place.column() == FileColumn ? row->file : place.column() == SettingsColumn ? row->settings : row->method;
    if (role == Qt::FontRole && row->current) {
        QFont bold;
        bold.setBold(true);
        return bold;
    }
    return {};
}

QVariant Model::headerData(int section, Qt::Orientation orientation, int role) const
{
    if (orientation != Qt::Horizontal || section < 0 || section >= kColumnCount)
        return {};
    return role == Qt::DisplayRole ? QVariant(tr(kHeadings[section].title)) : role == Qt::ToolTipRole ? QVariant(tr(kHeadings[section].help)) : QVariant();
}

} // namespace tamis::views
