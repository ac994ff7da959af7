// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/model/cost_table_model.h"

#include "views/common/heading.h"
#include "views/common/inline_bar_delegate.h"
#include "views/common/number_format.h"
#include "views/common/theme.h"
#include "views/model/layer_measure.h"

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
constexpr Heading kHeadings[CostTableModel::kColumnCount] = {
    {QT_TRANSLATE_NOOP("CostTableModel", "Block"), QT_TRANSLATE_NOOP("CostTableModel", "Index of the block; a dash outside the blocks")},
    {QT_TRANSLATE_NOOP("CostTableModel", "Layer"), QT_TRANSLATE_NOOP("CostTableModel", "Name of the operator, in execution order")},
    {QT_TRANSLATE_NOOP("CostTableModel", "Kind"), QT_TRANSLATE_NOOP("CostTableModel", "Linear operator, attention, norm, embedding, merge")},
    {QT_TRANSLATE_NOOP("CostTableModel", "Form"), QT_TRANSLATE_NOOP("CostTableModel", "How the operator is carried out; the plan changes it")},
    {QT_TRANSLATE_NOOP("CostTableModel", "Input"), QT_TRANSLATE_NOOP("CostTableModel", "Tokens × features of one sample")},
    {QT_TRANSLATE_NOOP("CostTableModel", "Output"), QT_TRANSLATE_NOOP("CostTableModel", "Tokens × features of one sample")},
    {QT_TRANSLATE_NOOP("CostTableModel", "Parameters"), QT_TRANSLATE_NOOP("CostTableModel", "Stored numbers")},
    {QT_TRANSLATE_NOOP("CostTableModel", "MACs"), QT_TRANSLATE_NOOP("CostTableModel", "Multiplications and additions for one sample")},
    {QT_TRANSLATE_NOOP("CostTableModel", "Weights"), QT_TRANSLATE_NOOP("CostTableModel", "Bytes of the weights, read once a batch")},
    {QT_TRANSLATE_NOOP("CostTableModel", "Activations"), QT_TRANSLATE_NOOP("CostTableModel", "Bytes read and written for one sample")},
    {QT_TRANSLATE_NOOP("CostTableModel", "FLOP/byte"), QT_TRANSLATE_NOOP("CostTableModel", "Arithmetic intensity at this batch")},
    {QT_TRANSLATE_NOOP("CostTableModel", "Predicted"), QT_TRANSLATE_NOOP("CostTableModel", "Time of a batch by the roofline")},
    {QT_TRANSLATE_NOOP("CostTableModel", "Measured"), QT_TRANSLATE_NOOP("CostTableModel", "Median time of a batch on this machine")}};

bool sameLayers(const report::ModelCostReport& a, const report::ModelCostReport& b)
{
    return std::equal(a.layers.begin(), a.layers.end(), b.layers.begin(), b.layers.end(),
                      [](const auto& x, const auto& y) { return x.name == y.name && x.block == y.block && x.kind == y.kind; });
}

bool isTime(int column) { return column == CostTableModel::PredictedColumn || column == CostTableModel::MeasuredColumn; }
} // namespace

void CostTableModel::setReport(std::shared_ptr<const report::ModelCostReport> report)
{
    const bool same = m_report && report && sameLayers(*m_report, *report);
    if (!same)
        beginResetModel();
    m_report = std::move(report);
    m_largest.fill(0);
    for (int row = 0; row < rowCount(); ++row)
        for (int column = ParametersColumn; column < kColumnCount; ++column)
            if (const double value = number(row, column); std::isfinite(value))
                m_largest[static_cast<std::size_t>(column)] = std::max(m_largest[static_cast<std::size_t>(column)], value);
    if (!same)
        endResetModel();
    else if (rowCount() > 0)
        emit dataChanged(index(0, 0), index(rowCount() - 1, kColumnCount - 1));
}

const report::LayerCost* CostTableModel::layer(int row) const
{
    return row >= 0 && row < rowCount() ? &m_report->layers[static_cast<std::size_t>(row)] : nullptr;
}

int CostTableModel::rowOf(const QString& name) const
{
    const std::string wanted = name.toStdString();
    for (int row = 0; row < rowCount(); ++row)
        if (layer(row)->name == wanted)
            return row;
    return -1;
}

int CostTableModel::rowCount(const QModelIndex& parent) const
{
    return parent.isValid() || !m_report ? 0 : static_cast<int>(m_report->layers.size());
}

int CostTableModel::columnCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : static_cast<int>(kColumnCount); }

double CostTableModel::number(int row, int column) const
{
    const auto& l = *layer(row);
    switch (column) {
    case ParametersColumn: return static_cast<double>(l.parameters);
    case MacsColumn: return static_cast<double>(l.macs);
    case WeightsColumn: return static_cast<double>(l.weightBytes);
    case ActivationsColumn: return static_cast<double>(l.activationBytes);
    case IntensityColumn: return l.intensity;
    case PredictedColumn: return l.predictedMs;
    case MeasuredColumn: return l.measuredMs;
    default: return report::kNotMeasured;
    }
}

QString CostTableModel::format(int column, double value)
{
    switch (column) {
    case ParametersColumn:
    case MacsColumn: return formatCount(value);
    case WeightsColumn:
    case ActivationsColumn: return formatBytes(value);
    case IntensityColumn: return formatNumber(value, 3);
    default: return formatMeasure(LayerMeasure::MeasuredMs, value);
    }
}

QString CostTableModel::text(int row, int column) const
{
    const auto& l = *layer(row);
    switch (column) {
    case BlockColumn: return l.block < 0 ? QStringLiteral("–") : QString::number(l.block);
    case NameColumn: return QString::fromStdString(l.name);
    case KindColumn: return QString::fromStdString(l.kind);
    case FormColumn: return formText(l);
    case InputColumn: return sampleShapeText(l.inputShape);
    case OutputColumn: return sampleShapeText(l.outputShape);
    default: return format(column, number(row, column));
    }
}

QVariant CostTableModel::data(const QModelIndex& at, int role) const
{
    if (!at.isValid() || !layer(at.row()))
        return {};
    const double value = number(at.row(), at.column());
    const bool counts = at.column() >= ParametersColumn;
    switch (role) {
    case Qt::DisplayRole: return text(at.row(), at.column());
    case Qt::ToolTipRole: return layerSummary(*layer(at.row()));
    case Qt::TextAlignmentRole: return static_cast<int>((counts ? Qt::AlignRight : Qt::AlignLeft) | Qt::AlignVCenter);
    case kSortRole:
        if (at.column() == BlockColumn)
            return layer(at.row())->block;
        return counts ? QVariant(value) : QVariant(text(at.row(), at.column()));
    case kFractionRole: {
        const double largest = m_largest[static_cast<std::size_t>(at.column())];
        return counts && std::isfinite(value) && largest > 0 ? QVariant(value / largest) : QVariant();
    }
    case kToneRole: return isCompressed(*layer(at.row())) ? QVariant(static_cast<int>(Ink::HeldOut)) : QVariant();
    case Qt::ForegroundRole:
        return at.column() == FormColumn && isCompressed(*layer(at.row())) ? QVariant(QBrush(Theme::instance().color(Ink::HeldOut))) : QVariant();
    default: return {};
    }
}

QVariant CostTableModel::headerData(int section, Qt::Orientation orientation, int role) const
{
    const char* text = headingText(kHeadings, section, orientation, role);
    return text ? QVariant(tr(text)) : QVariant();
}

void CostTotalsModel::setTotals(const CostTableModel& costs, const QList<int>& rows)
{
    m_values.fill(0);
    const bool all = rows.size() == costs.rowCount();
    m_title = rows.isEmpty() ? QString() : all ? tr("Whole model") : tr("%1 of %2 layers").arg(rows.size()).arg(costs.rowCount());
    for (const int row : rows)
        for (int column = CostTableModel::ParametersColumn; column < CostTableModel::kColumnCount; ++column) {
            const double value = costs.number(row, column);
            const bool free = isTime(column) && !std::isfinite(value) && costs.number(row, CostTableModel::MacsColumn) == 0;
            if (!free)
                m_values[static_cast<std::size_t>(column)] += value;
        }
    const auto at = [&](int column) -> double& { return m_values[static_cast<std::size_t>(column)]; };
    if (const auto* report = costs.report(); report && !rows.isEmpty()) {
        if (all) { // the report knows shared weights, and the time between the layers
            at(CostTableModel::ParametersColumn) = static_cast<double>(report->parameters);
            at(CostTableModel::WeightsColumn) = static_cast<double>(report->weightBytes);
            at(CostTableModel::PredictedColumn) = report->predictedMs;
            at(CostTableModel::MeasuredColumn) = report->measuredMs;
        }
        const auto batch = static_cast<double>(report->batch);
        at(CostTableModel::IntensityColumn) = 2 * at(CostTableModel::MacsColumn) * batch /
                                              (at(CostTableModel::WeightsColumn) + at(CostTableModel::ActivationsColumn) * batch);
    }
    if (rowCount() > 0)
        emit dataChanged(index(0, 0), index(0, CostTableModel::kColumnCount - 1));
}

int CostTotalsModel::rowCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : 1; }
int CostTotalsModel::columnCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : static_cast<int>(CostTableModel::kColumnCount); }

QVariant CostTotalsModel::data(const QModelIndex& at, int role) const
{
    if (!at.isValid())
        return {};
    const bool counts = at.column() >= CostTableModel::ParametersColumn;
    if (role == Qt::TextAlignmentRole)
        return static_cast<int>((counts ? Qt::AlignRight : Qt::AlignLeft) | Qt::AlignVCenter);
    if (role != Qt::DisplayRole || m_title.isEmpty())
        return {};
    if (at.column() == CostTableModel::NameColumn)
        return m_title;
    return counts ? QVariant(CostTableModel::format(at.column(), m_values[static_cast<std::size_t>(at.column())])) : QVariant();
}

} // namespace tamis::views
