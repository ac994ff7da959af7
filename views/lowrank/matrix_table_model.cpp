// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/lowrank/matrix_table_model.h"

#include "views/common/heading.h"
#include "views/common/inline_bar_delegate.h"
#include "views/common/number_format.h"
#include "views/common/theme.h"
#include "views/lowrank/comparison_measure.h"

#include <QBrush>

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
constexpr double kLargeCondition = 1e4;  ///< of a junction's block: half precision loses it
constexpr double kLargeCoefficient = 64; ///< of a junction

constexpr Heading kHeadings[MatrixTableModel::kColumnCount] = {
    {QT_TRANSLATE_NOOP("MatrixTableModel", "Layer"), QT_TRANSLATE_NOOP("MatrixTableModel", "Block; a dash outside the blocks")},
    {QT_TRANSLATE_NOOP("MatrixTableModel", "Matrix"), QT_TRANSLATE_NOOP("MatrixTableModel", "Name of the operator, in execution order")},
    {QT_TRANSLATE_NOOP("MatrixTableModel", "Role"), QT_TRANSLATE_NOOP("MatrixTableModel", "What the matrix is for")},
    {QT_TRANSLATE_NOOP("MatrixTableModel", "Shape"), QT_TRANSLATE_NOOP("MatrixTableModel", "Outputs × inputs")},
    {QT_TRANSLATE_NOOP("MatrixTableModel", "Form"), QT_TRANSLATE_NOOP("MatrixTableModel", "What stands in the matrix's place")},
    {QT_TRANSLATE_NOOP("MatrixTableModel", "Rank"), QT_TRANSLATE_NOOP("MatrixTableModel", "Of the factors; the full rank where it is dense")},
    {QT_TRANSLATE_NOOP("MatrixTableModel", "Keep"), QT_TRANSLATE_NOOP("MatrixTableModel", "Parameters, or bytes when remapped, over the dense matrix's")},
    {QT_TRANSLATE_NOOP("MatrixTableModel", "Rel. loss"), QT_TRANSLATE_NOOP("MatrixTableModel", "Squared output error over the output's energy, on the calibration tokens")},
    {QT_TRANSLATE_NOOP("MatrixTableModel", "Held-out"), QT_TRANSLATE_NOOP("MatrixTableModel", "The same on the held-out rows")},
    {QT_TRANSLATE_NOOP("MatrixTableModel", "Over least"), QT_TRANSLATE_NOOP("MatrixTableModel", "Loss over the least that any factors of this rank lose under the calibration, less 1")},
    {QT_TRANSLATE_NOOP("MatrixTableModel", "Condition"), QT_TRANSLATE_NOOP("MatrixTableModel", "Of the junction's block, or of the outer factor")},
    {QT_TRANSLATE_NOOP("MatrixTableModel", "Largest coefficient"), QT_TRANSLATE_NOOP("MatrixTableModel", "Of the junction, or of the factors")},
    {QT_TRANSLATE_NOOP("MatrixTableModel", "Notices"), QT_TRANSLATE_NOOP("MatrixTableModel", "What the method had to say about this matrix")}};

bool isText(int column)
{
    return column == MatrixTableModel::NameColumn || column == MatrixTableModel::RoleColumn || column == MatrixTableModel::FormColumn || column == MatrixTableModel::WarningColumn ||
           column == MatrixTableModel::ShapeColumn;
}

bool sameMatrices(const report::LowRankReport& a, const report::LowRankReport& b)
{
    return std::equal(a.matrices.begin(), a.matrices.end(), b.matrices.begin(), b.matrices.end(),
                      [](const auto& x, const auto& y) { return x.name == y.name && x.layer == y.layer && x.rows == y.rows && x.cols == y.cols; });
}

QString joined(const std::vector<std::string>& sentences, const QString& by)
{
    QStringList all;
    for (const auto& one : sentences)
        all << QString::fromStdString(one);
    return all.join(by);
}
} // namespace

void MatrixTableModel::setReport(std::shared_ptr<const report::LowRankReport> report)
{
    const bool same = m_report && report && sameMatrices(*m_report, *report);
    if (!same)
        beginResetModel();
    m_report = std::move(report);
    m_largest.fill(0);
    for (int row = 0; row < rowCount(); ++row)
        for (int column = 0; column < kColumnCount; ++column)
            if (const double value = number(*matrix(row), column); std::isfinite(value))
                m_largest[static_cast<std::size_t>(column)] = std::max(m_largest[static_cast<std::size_t>(column)], value);
    if (!same)
        endResetModel();
    else if (rowCount() > 0)
        emit dataChanged(index(0, 0), index(rowCount() - 1, kColumnCount - 1));
}

const report::LowRankMatrix* MatrixTableModel::matrix(int row) const
{
    return row >= 0 && row < rowCount() ? &m_report->matrices[static_cast<std::size_t>(row)] : nullptr;
}

int MatrixTableModel::rowOf(const QString& name) const
{
    const std::string wanted = name.toStdString();
    for (int row = 0; row < rowCount(); ++row)
        if (matrix(row)->name == wanted)
            return row;
    return -1;
}

bool MatrixTableModel::hasValues(int column) const
{
    for (int row = 0; row < rowCount(); ++row)
        if (column == WarningColumn ? !matrix(row)->warnings.empty() : isText(column) || std::isfinite(number(*matrix(row), column)))
            return true;
    return false;
}

int MatrixTableModel::rowCount(const QModelIndex& parent) const { return parent.isValid() || !m_report ? 0 : static_cast<int>(m_report->matrices.size()); }
int MatrixTableModel::columnCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : static_cast<int>(kColumnCount); }

double MatrixTableModel::number(const report::LowRankMatrix& m, int column) const
{
    switch (column) {
    case LayerColumn: return m.layer;
    case ShapeColumn: return static_cast<double>(m.rows * m.cols);
    case RankColumn: return static_cast<double>(m.rank);
    case KeepColumn: return m.keep;
    case LossColumn: return m.relativeLoss();
    case HeldOutColumn: return m.heldOutRelativeLoss();
    case ExcessColumn: return m.minimumLoss > 0 ? m.loss / m.minimumLoss - 1 : report::kNotMeasured;
    case ConditionColumn: return m.condition;
    case CoefficientColumn: return m.maxCoefficient;
    default: return report::kNotMeasured;
    }
}

QString MatrixTableModel::text(const report::LowRankMatrix& m, int column) const
{
    const double value = number(m, column);
    switch (column) {
    case LayerColumn: return m.layer < 0 ? QStringLiteral("–") : QString::number(m.layer);
    case NameColumn: return QString::fromStdString(m.name);
    case RoleColumn: return QString::fromStdString(m.role);
    case ShapeColumn: return QStringLiteral("%1 × %2").arg(m.rows).arg(m.cols);
    case FormColumn: return QString::fromStdString(m.layout);
    case RankColumn: return QString::number(m.rank);
    case KeepColumn: return formatPercent(value);
    case LossColumn:
    case HeldOutColumn: return formatLoss(value);
    case ExcessColumn: return !std::isfinite(value) ? QStringLiteral("–") : std::abs(value) < 5e-5 ? formatPercent(0, 2) : formatPercent(value, 2);
    case ConditionColumn: return formatNumber(value, 3);
    case CoefficientColumn: return formatNumber(value, 3);
    case WarningColumn: return joined(m.warnings, QStringLiteral("; "));
    default: return {};
    }
}

QVariant MatrixTableModel::data(const QModelIndex& at, int role) const
{
    const auto* of = at.isValid() ? matrix(at.row()) : nullptr;
    if (!of)
        return {};
    const int column = at.column();
    const double value = number(*of, column);
    const bool bars = column >= RankColumn && column <= CoefficientColumn;
    switch (role) {
    case Qt::DisplayRole: return text(*of, column);
    case Qt::ToolTipRole: {
        QString all = tr("%1, %2 × %3").arg(QString::fromStdString(of->name)).arg(of->rows).arg(of->cols);
        all += QLatin1Char('\n') + tr("%1 instead of %2 parameters").arg(formatCount(static_cast<double>(of->cost.parameters)), formatCount(static_cast<double>(of->denseCost.parameters)));
        return of->warnings.empty() ? all : all + QLatin1Char('\n') + joined(of->warnings, QStringLiteral("\n"));
    }
    case Qt::TextAlignmentRole: return static_cast<int>((isText(column) ? Qt::AlignLeft : Qt::AlignRight) | Qt::AlignVCenter);
    case kSortRole: return isText(column) && column != ShapeColumn ? QVariant(text(*of, column)) : QVariant(value);
    case kFractionRole: {
        const double largest = column == KeepColumn || column == ExcessColumn ? 1 : m_largest[static_cast<std::size_t>(column)];
        return bars && std::isfinite(value) && largest > 0 ? QVariant(std::clamp(value / largest, 0.0, 1.0)) : QVariant();
    }
    case kToneRole: {
        const bool large = (column == ConditionColumn && value > kLargeCondition) || (column == CoefficientColumn && value > kLargeCoefficient);
        return static_cast<int>(large ? Ink::Warning : column == HeldOutColumn ? Ink::HeldOut : column == LossColumn ? Ink::Loss : Ink::Accent);
    }
    case Qt::ForegroundRole:
        return column == WarningColumn ? QVariant(QBrush(Theme::instance().color(Ink::Warning)))
               : of->layout == "dense" ? QVariant(QBrush(Theme::instance().color(Ink::MutedText)))
                                       : QVariant();
    default: return {};
    }
}

QVariant MatrixTableModel::headerData(int section, Qt::Orientation orientation, int role) const
{
    const char* text = headingText(kHeadings, section, orientation, role);
    return text ? QVariant(tr(text)) : QVariant();
}

} // namespace tamis::views
