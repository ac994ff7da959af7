// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/plan/operating_points_model.h"

#include "views/common/inline_bar_delegate.h"
#include "views/common/number_format.h"
#include "views/common/theme.h"

#include <algorithm>

namespace tamis::views {

void OperatingPointsModel::setPoints(const std::vector<report::OperatingPoint>& points)
{
    if (points.size() == m_points.size()) { // same rows: the selection stays
        m_points = points;
        if (!points.empty())
            emit dataChanged(index(0, 0), index(rowCount() - 1, kColumnCount - 1));
        return;
    }
    beginResetModel();
    m_points = points;
    endResetModel();
}

int OperatingPointsModel::rowCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : static_cast<int>(m_points.size()); }
int OperatingPointsModel::columnCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : static_cast<int>(kColumnCount); }

QString OperatingPointsModel::text(const report::OperatingPoint& point, int column) const
{
    switch (column) {
    case LabelColumn: return QString::fromStdString(point.label);
    case KeepColumn: return formatPercent(point.keep);
    case ParametersColumn: return formatCount(static_cast<double>(point.cost.parameters));
    case BytesColumn: return formatBytes(static_cast<double>(point.cost.bytes));
    case MacsColumn: return formatCount(static_cast<double>(point.cost.macs));
    case LatencyColumn: return formatMilliseconds(point.cost.latencyMs);
    case LossColumn: return formatPercent(point.relativeLoss, 3);
    case FrontColumn: return point.onFront ? tr("on the front") : point.baseline ? tr("baseline") : QString();
    case SettingsColumn: return QString::fromStdString(point.settings);
    default: return {};
    }
}

QVariant OperatingPointsModel::sortValue(const report::OperatingPoint& point, int column) const
{
    switch (column) {
    case KeepColumn: return point.keep;
    case ParametersColumn: return static_cast<qulonglong>(point.cost.parameters);
    case BytesColumn: return static_cast<qulonglong>(point.cost.bytes);
    case MacsColumn: return static_cast<qulonglong>(point.cost.macs);
    case LatencyColumn: return point.cost.latencyMs;
    case LossColumn: return point.relativeLoss;
    default: return text(point, column);
    }
}

QVariant OperatingPointsModel::data(const QModelIndex& index, int role) const
{
    if (!checkIndex(index, CheckIndexOption::IndexIsValid | CheckIndexOption::ParentIsInvalid))
        return {};
    const auto& point = m_points[static_cast<std::size_t>(index.row())];
    const int column = index.column();
    switch (role) {
    case Qt::DisplayRole: return text(point, column);
    case Qt::EditRole: return column == LabelColumn ? QVariant(text(point, column)) : QVariant();
    case Qt::ToolTipRole: return QString::fromStdString(point.settings);
    case Qt::TextAlignmentRole:
        return column >= KeepColumn && column <= LossColumn ? QVariant(Qt::AlignRight | Qt::AlignVCenter) : QVariant();
    case Qt::ForegroundRole:
        if (column == FrontColumn && point.onFront)
            return Theme::instance().color(Ink::Good);
        return point.baseline ? QVariant(Theme::instance().color(Ink::MutedText)) : QVariant();
    case kSortRole: return sortValue(point, column);
    case kFractionRole:
        if (column == KeepColumn)
            return std::clamp(point.keep, 0.0, 1.0);
        return column == LossColumn ? QVariant(std::clamp(point.relativeLoss, 0.0, 1.0)) : QVariant();
    case kToneRole: return column == LossColumn ? QVariant(static_cast<int>(Ink::Loss)) : QVariant();
    default: return {};
    }
}

QVariant OperatingPointsModel::headerData(int section, Qt::Orientation orientation, int role) const
{
    if (orientation != Qt::Horizontal || role != Qt::DisplayRole || section < 0 || section >= kColumnCount)
        return QAbstractTableModel::headerData(section, orientation, role);
    const QString titles[kColumnCount] = {tr("Label"), tr("Keep"), tr("Parameters"), tr("Bytes"), tr("MACs"), tr("Latency"),
                                          tr("Rel. loss"), tr("Front"), tr("Settings")};
    return titles[section];
}

Qt::ItemFlags OperatingPointsModel::flags(const QModelIndex& index) const
{
    const auto flags = QAbstractTableModel::flags(index);
    return index.column() == LabelColumn ? flags | Qt::ItemIsEditable : flags;
}

bool OperatingPointsModel::setData(const QModelIndex& index, const QVariant& value, int role)
{
    if (!checkIndex(index, CheckIndexOption::IndexIsValid) || index.column() != LabelColumn || role != Qt::EditRole)
        return false;
    const QString label = value.toString().simplified();
    if (label.isEmpty())
        return false;
    if (label != text(m_points[static_cast<std::size_t>(index.row())], LabelColumn))
        emit labelEdited(index.row(), label);
    return true;
}

} // namespace tamis::views
