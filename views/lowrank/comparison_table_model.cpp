// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/lowrank/comparison_table_model.h"

#include "views/common/inline_bar_delegate.h"
#include "views/common/number_format.h"
#include "views/common/theme.h"

#include <QBrush>
#include <QPixmap>

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
using Model = ComparisonTableModel;

bool sameConfiguration(const report::ComparisonRow& a, const report::ComparisonRow& b)
{
    return a.label == b.label && a.method == b.method && a.keep == b.keep && a.settings == b.settings;
}

std::optional<CostUnit> costUnitOf(int column)
{
    switch (column) {
    case Model::ParametersColumn: return CostUnit::Parameters;
    case Model::BytesColumn: return CostUnit::Bytes;
    case Model::MacsColumn: return CostUnit::Macs;
    case Model::LatencyColumn: return CostUnit::Latency;
    default: return std::nullopt;
    }
}

bool isText(int column) { return column == Model::MethodColumn || column == Model::SettingsColumn; }
} // namespace

bool ComparisonTableModel::measureOf(int column, ComparisonMeasure& measure)
{
    switch (column) {
    case PerplexityColumn: measure = ComparisonMeasure::Perplexity; return true;
    case BitsColumn: measure = ComparisonMeasure::BitsPerByte; return true;
    case Top1Column: measure = ComparisonMeasure::Top1; return true;
    case Top5Column: measure = ComparisonMeasure::Top5; return true;
    case AgreementColumn: measure = ComparisonMeasure::Agreement; return true;
    case KlColumn: measure = ComparisonMeasure::Kl; return true;
    case CosineColumn: measure = ComparisonMeasure::LogitCosine; return true;
    case HeldOutColumn: measure = ComparisonMeasure::HeldOutLoss; return true;
    case CalibrationColumn: measure = ComparisonMeasure::CalibrationLoss; return true;
    default: return false;
    }
}

void ComparisonTableModel::setComparison(std::shared_ptr<const report::MethodComparison> comparison)
{
    const int rows = comparison ? static_cast<int>(comparison->rows.size()) : 0;
    const bool grows = m_comparison && comparison && rows >= m_rows && m_comparison->model == comparison->model &&
                       std::equal(m_comparison->rows.begin(), m_comparison->rows.end(), comparison->rows.begin(), sameConfiguration);
    const int before = m_rows;
    if (!grows)
        beginResetModel();
    else if (rows > before)
        beginInsertRows({}, before, rows - 1);
    m_comparison = std::move(comparison);
    m_rows = rows;
    m_colors = m_comparison ? colorsOf(*m_comparison) : std::vector<int>();
    m_largest.fill(0);
    for (int at = 0; at < m_rows; ++at)
        for (int column = 0; column < kColumnCount; ++column)
            if (const double value = number(*row(at), column); std::isfinite(value))
                m_largest[static_cast<std::size_t>(column)] = std::max(m_largest[static_cast<std::size_t>(column)], value);
    if (!grows)
        endResetModel();
    else if (rows > before)
        endInsertRows();
    if (grows && before > 0)
        emit dataChanged(index(0, 0), index(before - 1, kColumnCount - 1));
}

const report::ComparisonRow* ComparisonTableModel::row(int index) const
{
    return index >= 0 && index < m_rows ? &m_comparison->rows[static_cast<std::size_t>(index)] : nullptr;
}

bool ComparisonTableModel::hasValues(int column) const
{
    if (isText(column))
        return true;
    for (int at = 0; at < m_rows; ++at)
        if (std::isfinite(number(*row(at), column)))
            return true;
    return false;
}

int ComparisonTableModel::rowCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : m_rows; }
int ComparisonTableModel::columnCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : static_cast<int>(kColumnCount); }

double ComparisonTableModel::number(const report::ComparisonRow& row, int column) const
{
    if (ComparisonMeasure measure{}; measureOf(column, measure))
        return measured(row, measure).mean;
    if (const auto unit = costUnitOf(column))
        return costOf(row, *unit);
    if (column == KeepColumn)
        return row.method == "dense" || row.method == "round-to-nearest" ? report::kNotMeasured : row.keep;
    if (column == SecondsColumn)
        return row.method == "dense" || !row.failure.empty() ? report::kNotMeasured : row.seconds;
    return report::kNotMeasured;
}

QString ComparisonTableModel::text(const report::ComparisonRow& row, int column) const
{
    if (column == MethodColumn)
        return QString::fromStdString(row.label);
    if (column == SettingsColumn)
        return row.failure.empty() ? QString::fromStdString(row.settings) : tr("failed: %1").arg(QString::fromStdString(row.failure));
    if (ComparisonMeasure measure{}; measureOf(column, measure))
        return formatMeasured(measure, measured(row, measure));
    const double value = number(row, column);
    if (const auto unit = costUnitOf(column))
        return formatCost(*unit, value);
    return !std::isfinite(value) ? QStringLiteral("–") : column == KeepColumn ? formatPercent(value, 0) : formatDuration(value);
}

QString ComparisonTableModel::help(const report::ComparisonRow& row) const
{
    QString all = rowTitle(row);
    if (!row.settings.empty())
        all += QLatin1Char('\n') + QString::fromStdString(row.settings);
    if (!row.failure.empty())
        return all + QLatin1Char('\n') + tr("failed: %1").arg(QString::fromStdString(row.failure));
    if (row.quality.samples > 0)
        all += QLatin1Char('\n') + (row.quality.tokens > 0 ? tr("%1 samples, %2 scored tokens").arg(row.quality.samples).arg(row.quality.tokens)
                                                           : tr("%1 samples with a label").arg(row.quality.samples));
    return all + QLatin1Char('\n') + tr("± is the standard deviation of the batches' means");
}

QVariant ComparisonTableModel::data(const QModelIndex& at, int role) const
{
    const auto* of = at.isValid() ? row(at.row()) : nullptr;
    if (!of)
        return {};
    const int column = at.column();
    const auto& theme = Theme::instance();
    switch (role) {
    case Qt::DisplayRole: return text(*of, column);
    case Qt::ToolTipRole: return help(*of);
    case Qt::TextAlignmentRole: return static_cast<int>((isText(column) ? Qt::AlignLeft : Qt::AlignRight) | Qt::AlignVCenter);
    case kSortRole: return isText(column) ? QVariant(text(*of, column)) : QVariant(number(*of, column));
    case kFractionRole: {
        const double value = number(*of, column), largest = m_largest[static_cast<std::size_t>(column)];
        return !isText(column) && std::isfinite(value) && largest > 0 ? QVariant(std::clamp(value / largest, 0.0, 1.0)) : QVariant();
    }
    case kToneRole: return of->baseline ? QVariant(static_cast<int>(Ink::Baseline)) : column == HeldOutColumn ? QVariant(static_cast<int>(Ink::HeldOut)) : QVariant();
    case Qt::ForegroundRole:
        if (!of->failure.empty())
            return QBrush(theme.color(Ink::Error));
        return of->baseline && column == MethodColumn ? QVariant(QBrush(theme.color(Ink::MutedText))) : QVariant();
    case Qt::DecorationRole: {
        if (column != MethodColumn)
            return {};
        const int color = m_colors[static_cast<std::size_t>(at.row())];
        QPixmap chip(10, 10);
        chip.fill(color < 0 ? theme.color(Ink::Baseline) : theme.seriesColor(color));
        return chip;
    }
    case Qt::AccessibleTextRole:
        return column == MethodColumn && of->baseline ? QVariant(tr("%1, a baseline").arg(text(*of, column))) : QVariant();
    default: return {};
    }
}

QVariant ComparisonTableModel::headerData(int section, Qt::Orientation orientation, int role) const
{
    if (orientation != Qt::Horizontal || (role != Qt::DisplayRole && role != Qt::ToolTipRole))
        return {};
    const bool title = role == Qt::DisplayRole;
    if (ComparisonMeasure measure{}; measureOf(section, measure))
        return title ? measureTitle(measure) : measureHelp(measure);
    switch (section) {
    case MethodColumn: return title ? tr("Method") : tr("Squares of one colour are one method; grey: a baseline");
    case KeepColumn: return title ? tr("Keep") : tr("Fraction of the compressed matrices that was asked for: parameters, or bytes when remapped");
    case ParametersColumn: return title ? tr("Parameters") : tr("Of the whole model");
    case BytesColumn: return title ? tr("Bytes") : tr("Of the whole model as it would be stored");
    case MacsColumn: return title ? tr("MACs") : tr("A token, linear operators only; 1 MAC = 2 FLOP");
    case LatencyColumn: return title ? tr("Latency") : tr("Median time of one sample through the whole model on this machine");
    case SecondsColumn: return title ? tr("Took") : tr("Time to compress");
    case SettingsColumn: return title ? tr("Settings") : tr("Allocation, accounting and parameters, or why the method gave up");
    default: return {};
    }
}

} // namespace tamis::views
