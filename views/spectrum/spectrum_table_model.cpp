// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/spectrum/spectrum_table_model.h"

#include "views/common/heading.h"
#include "views/common/inline_bar_delegate.h"
#include "views/common/number_format.h"
#include "views/common/theme.h"

#include <QHash>

#include <algorithm>
#include <cmath>
#include <limits>

namespace tamis::views {
namespace {
constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr double kNotableLoss = 0.1; ///< relative loss from which the bar is drawn as a warning

constexpr Heading kHeadings[SpectrumTableModel::kColumnCount] = {
    {QT_TRANSLATE_NOOP("SpectrumTableModel", "Layer"), QT_TRANSLATE_NOOP("SpectrumTableModel", "Block; a dash outside the blocks")},
    {QT_TRANSLATE_NOOP("SpectrumTableModel", "Matrix"), QT_TRANSLATE_NOOP("SpectrumTableModel", "Tensor name without \".weight\"")},
    {QT_TRANSLATE_NOOP("SpectrumTableModel", "Role"), QT_TRANSLATE_NOOP("SpectrumTableModel", "What the matrix is for")},
    {QT_TRANSLATE_NOOP("SpectrumTableModel", "Shape"), QT_TRANSLATE_NOOP("SpectrumTableModel", "Outputs × inputs")},
    {QT_TRANSLATE_NOOP("SpectrumTableModel", "Type"), QT_TRANSLATE_NOOP("SpectrumTableModel", "Element type in the checkpoint")},
    {QT_TRANSLATE_NOOP("SpectrumTableModel", "Parameters"), QT_TRANSLATE_NOOP("SpectrumTableModel", "Elements of the dense matrix")},
    {QT_TRANSLATE_NOOP("SpectrumTableModel", "Stable rank"), QT_TRANSLATE_NOOP("SpectrumTableModel", "Sum of s² over the largest s²")},
    {QT_TRANSLATE_NOOP("SpectrumTableModel", "Effective rank"), QT_TRANSLATE_NOOP("SpectrumTableModel", "Exponential of the entropy of s over its sum")},
    {QT_TRANSLATE_NOOP("SpectrumTableModel", "Condition"), QT_TRANSLATE_NOOP("SpectrumTableModel", "Largest over smallest singular value")},
    {QT_TRANSLATE_NOOP("SpectrumTableModel", "Rank"), QT_TRANSLATE_NOOP("SpectrumTableModel", "Chosen rank; edit to choose it by hand")},
    {QT_TRANSLATE_NOOP("SpectrumTableModel", "Keep"), QT_TRANSLATE_NOOP("SpectrumTableModel", "Fraction kept: parameters, or bytes when remapped")},
    {QT_TRANSLATE_NOOP("SpectrumTableModel", "Rel. loss"), QT_TRANSLATE_NOOP("SpectrumTableModel", "Predicted squared error over that of rank 0")},
    {QT_TRANSLATE_NOOP("SpectrumTableModel", "Held-out"), QT_TRANSLATE_NOOP("SpectrumTableModel", "Relative loss on the held-out rows")},
    {QT_TRANSLATE_NOOP("SpectrumTableModel", "Lock"), QT_TRANSLATE_NOOP("SpectrumTableModel", "The allocation leaves a locked matrix as it is")}};

bool sameMatrices(const report::SpectrumReport& a, const report::SpectrumReport& b)
{
    return std::equal(a.matrices.begin(), a.matrices.end(), b.matrices.begin(), b.matrices.end(), [](const auto& x, const auto& y) {
        return x.name == y.name && x.layer == y.layer && x.role == y.role && x.rows == y.rows && x.cols == y.cols &&
               x.dtype == y.dtype && x.compressible == y.compressible;
    });
}
} // namespace

void SpectrumTableModel::setReport(std::shared_ptr<const report::SpectrumReport> report)
{
    const bool same = m_report && report && sameMatrices(*m_report, *report);
    if (!same)
        beginResetModel();
    m_report = std::move(report);
    matchBudget();
    if (!same)
        endResetModel();
    else if (rowCount() > 0)
        emit dataChanged(index(0, 0), index(rowCount() - 1, kColumnCount - 1));
}

void SpectrumTableModel::setBudget(std::shared_ptr<const report::BudgetReport> budget)
{
    m_budget = std::move(budget);
    matchBudget();
    if (rowCount() > 0)
        emit dataChanged(index(0, RankColumn), index(rowCount() - 1, LockColumn));
}

void SpectrumTableModel::matchBudget()
{
    m_budgetRow.assign(static_cast<std::size_t>(rowCount()), -1);
    if (!m_budget)
        return;
    QHash<QString, int> byName;
    for (std::size_t i = 0; i < m_budget->matrices.size(); ++i)
        byName.insert(QString::fromStdString(m_budget->matrices[i].name), static_cast<int>(i));
    for (std::size_t row = 0; row < m_budgetRow.size(); ++row)
        m_budgetRow[row] = byName.value(QString::fromStdString(m_report->matrices[row].name), -1);
}

const report::MatrixSpectrum* SpectrumTableModel::spectrum(int row) const
{
    return row >= 0 && row < rowCount() ? &m_report->matrices[static_cast<std::size_t>(row)] : nullptr;
}

const report::MatrixBudget* SpectrumTableModel::budget(int row) const
{
    if (row < 0 || row >= rowCount() || m_budgetRow[static_cast<std::size_t>(row)] < 0)
        return nullptr;
    return &m_budget->matrices[static_cast<std::size_t>(m_budgetRow[static_cast<std::size_t>(row)])];
}

int SpectrumTableModel::rowOf(const QString& name) const
{
    const std::string wanted = name.toStdString();
    for (int row = 0; row < rowCount(); ++row)
        if (spectrum(row)->name == wanted)
            return row;
    return -1;
}

std::int64_t SpectrumTableModel::fullRank(int row) const
{
    const auto* matrix = spectrum(row);
    return matrix ? std::min(matrix->rows, matrix->cols) : 0;
}

int SpectrumTableModel::rowCount(const QModelIndex& parent) const
{
    return parent.isValid() || !m_report ? 0 : static_cast<int>(m_report->matrices.size());
}

int SpectrumTableModel::columnCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : static_cast<int>(kColumnCount); }

double SpectrumTableModel::number(int row, int column) const
{
    const auto& matrix = *spectrum(row);
    const auto* chosen = budget(row);
    const bool known = !matrix.singularValues.empty(); // without a spectrum its measures are zero, not values
    switch (column) {
    case ParametersColumn: return static_cast<double>(matrix.rows) * static_cast<double>(matrix.cols);
    case StableRankColumn: return known ? matrix.stableRank : kNone;
    case EffectiveRankColumn: return known ? matrix.effectiveRank : kNone;
    case ConditionColumn: return known ? matrix.condition : kNone;
    case RankColumn: return chosen ? static_cast<double>(chosen->rank) : kNone;
    case KeepColumn: return chosen ? chosen->keep : kNone;
    case LossColumn: return chosen && known ? chosen->relativeLoss : kNone;
    case HeldOutColumn: return chosen && known ? chosen->heldOutRelativeLoss : kNone;
    default: return kNone;
    }
}

QString SpectrumTableModel::text(int row, int column) const
{
    const auto& matrix = *spectrum(row);
    const double value = number(row, column);
    switch (column) {
    case LayerColumn: return matrix.layer < 0 ? QStringLiteral("–") : QString::number(matrix.layer);
    case NameColumn: return QString::fromStdString(matrix.name);
    case RoleColumn: return QString::fromStdString(matrix.role);
    case ShapeColumn: return QStringLiteral("%1 × %2").arg(matrix.rows).arg(matrix.cols);
    case DtypeColumn: return QString::fromStdString(matrix.dtype);
    case ParametersColumn: return formatCount(value);
    case StableRankColumn:
    case EffectiveRankColumn: return std::isfinite(value) ? QString::number(value, 'f', 1) : formatNumber(value);
    case ConditionColumn: return formatNumber(value, 3);
    case RankColumn:
        if (const auto* chosen = budget(row))
            return chosen->dense ? tr("dense") : QString::number(chosen->rank);
        return formatNumber(kNone);
    case KeepColumn: return formatPercent(value);
    case LossColumn:
    case HeldOutColumn: return formatPercent(value, 2);
    default: return {};
    }
}

QVariant SpectrumTableModel::sortValue(int row, int column) const
{
    const auto& matrix = *spectrum(row);
    switch (column) {
    case LayerColumn: return matrix.layer;
    case ShapeColumn: return static_cast<qlonglong>(matrix.rows) * static_cast<qlonglong>(matrix.cols);
    case ParametersColumn: return static_cast<qlonglong>(matrix.rows) * static_cast<qlonglong>(matrix.cols);
    case RankColumn:
        if (const auto* chosen = budget(row))
            return static_cast<qlonglong>(chosen->rank);
        return kNone;
    case NameColumn:
    case RoleColumn:
    case DtypeColumn: return text(row, column);
    case LockColumn: return budget(row) && budget(row)->locked;
    default: return number(row, column);
    }
}

QVariant SpectrumTableModel::fraction(int row, int column) const
{
    if (column != KeepColumn && column != LossColumn && column != HeldOutColumn)
        return {};
    const double value = number(row, column);
    return std::isfinite(value) ? QVariant(std::clamp(value, 0.0, 1.0)) : QVariant();
}

QString SpectrumTableModel::toolTip(int row, int column) const
{
    const auto& matrix = *spectrum(row);
    const auto* chosen = budget(row);
    QStringList lines;
    if (column == NameColumn)
        lines << QString::fromStdString(matrix.name);
    const bool measure = column >= StableRankColumn && column <= HeldOutColumn;
    if (measure && matrix.singularValues.empty()) {
        lines << tr("There is no spectrum.");
        if (matrix.nanCount + matrix.infiniteCount > 0)
            lines << tr("The weights hold %1 NaN and %2 infinite values.").arg(matrix.nanCount).arg(matrix.infiniteCount);
    } else if (column == HeldOutColumn && std::isnan(number(row, column))) {
        lines << (matrix.heldOutLoss.empty() ? tr("The calibration set has no held-out rows for this matrix.") : tr("Not measured at this rank."));
    } else if (measure && !chosen && column >= RankColumn) {
        lines << tr("No budget has been computed yet.");
    }
    if (column == RankColumn && chosen) {
        if (!matrix.compressible)
            lines << tr("Not a linear operator: the plan leaves it as it is.");
        else if (chosen->overridden)
            lines << tr("Chosen by hand; Delete gives it back to the allocation.");
        else
            lines << tr("%1 of %2, chosen by the allocation.").arg(chosen->rank).arg(fullRank(row));
    }
    if (measure || column == NameColumn)
        for (const auto& warning : matrix.warnings)
            lines << QString::fromStdString(warning);
    return lines.join(QLatin1Char('\n'));
}

QVariant SpectrumTableModel::data(const QModelIndex& index, int role) const
{
    if (!checkIndex(index, CheckIndexOption::IndexIsValid | CheckIndexOption::ParentIsInvalid))
        return {};
    const int row = index.row(), column = index.column();
    const auto* chosen = budget(row);
    switch (role) {
    case Qt::DisplayRole: return column == LockColumn ? QVariant() : text(row, column);
    case Qt::EditRole:
        return column == RankColumn ? QVariant::fromValue<qlonglong>(chosen ? chosen->rank : fullRank(row)) : QVariant(text(row, column));
    case Qt::CheckStateRole:
        if (column == LockColumn && spectrum(row)->compressible)
            return chosen && chosen->locked ? Qt::Checked : Qt::Unchecked;
        return {};
    case Qt::ToolTipRole: {
        const QString tip = toolTip(row, column);
        return tip.isEmpty() ? QVariant() : tip;
    }
    case Qt::TextAlignmentRole:
        return column >= ParametersColumn || column == LayerColumn ? QVariant(Qt::AlignRight | Qt::AlignVCenter) : QVariant();
    case Qt::ForegroundRole:
        if (column == RankColumn && chosen && chosen->overridden)
            return Theme::instance().color(Ink::Accent);
        if (!spectrum(row)->compressible)
            return Theme::instance().color(Ink::MutedText);
        return {};
    case Qt::AccessibleTextRole:
        return column == LockColumn ? (chosen && chosen->locked ? tr("locked") : tr("not locked")) : text(row, column);
    case kSortRole: return sortValue(row, column);
    case kFractionRole: return fraction(row, column);
    case kToneRole:
        if (column == KeepColumn)
            return static_cast<int>(Ink::Accent);
        if (column == HeldOutColumn)
            return static_cast<int>(Ink::HeldOut);
        if (column == LossColumn)
            return static_cast<int>(number(row, column) >= kNotableLoss ? Ink::Warning : Ink::Loss);
        return {};
    default: return {};
    }
}

QVariant SpectrumTableModel::headerData(int section, Qt::Orientation orientation, int role) const
{
    if (orientation != Qt::Horizontal)
        return QAbstractTableModel::headerData(section, orientation, role);
    const char* text = headingText(kHeadings, section, orientation, role);
    return text ? QVariant(tr(text)) : QVariant();
}

Qt::ItemFlags SpectrumTableModel::flags(const QModelIndex& index) const
{
    auto flags = QAbstractTableModel::flags(index);
    const auto* matrix = index.isValid() ? spectrum(index.row()) : nullptr;
    if (!matrix || !matrix->compressible || matrix->singularValues.empty())
        return flags;
    if (index.column() == RankColumn && budget(index.row()))
        flags |= Qt::ItemIsEditable;
    if (index.column() == LockColumn)
        flags |= Qt::ItemIsUserCheckable;
    return flags;
}

bool SpectrumTableModel::setData(const QModelIndex& index, const QVariant& value, int role)
{
    if (!checkIndex(index, CheckIndexOption::IndexIsValid))
        return false;
    const QString name = QString::fromStdString(spectrum(index.row())->name);
    if (index.column() == LockColumn && role == Qt::CheckStateRole && flags(index).testFlag(Qt::ItemIsUserCheckable)) {
        emit lockToggled(name, value.toInt() == Qt::Checked);
        return true;
    }
    if (index.column() != RankColumn || role != Qt::EditRole || !flags(index).testFlag(Qt::ItemIsEditable))
        return false;
    bool isNumber = false;
    const qlonglong rank = value.toLongLong(&isNumber);
    if (!isNumber || rank < 1 || rank > fullRank(index.row()))
        return false;
    if (rank != budget(index.row())->rank || !budget(index.row())->overridden)
        emit rankEdited(name, rank);
    return true;
}

} // namespace tamis::views
