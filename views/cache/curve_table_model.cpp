// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/cache/curve_table_model.h"

#include "views/common/heading.h"
#include "views/common/inline_bar_delegate.h"
#include "views/common/number_format.h"
#include "views/common/theme.h"

#include <QIcon>
#include <QPixmap>

#include <algorithm>
#include <cmath>
#include <optional>

namespace tamis::views {
namespace {
constexpr Heading kHeadings[] = {
    {QT_TRANSLATE_NOOP("tamis::views::CurveTableModel", "policy"), QT_TRANSLATE_NOOP("tamis::views::CurveTableModel", "With the settings that are not the defaults")},
    {QT_TRANSLATE_NOOP("tamis::views::CurveTableModel", "hits"), QT_TRANSLATE_NOOP("tamis::views::CurveTableModel", "Share of the requests that hit at the cursor's size, and how far samples differ. ≈: between two sizes that were computed, as the line is drawn")},
    {QT_TRANSLATE_NOOP("tamis::views::CurveTableModel", "no resets"), QT_TRANSLATE_NOOP("tamis::views::CurveTableModel", "Share that hits with the same rules, but without looking for scene changes")},
    {QT_TRANSLATE_NOOP("tamis::views::CurveTableModel", "hit bytes"), QT_TRANSLATE_NOOP("tamis::views::CurveTableModel", "Share of the bytes that hit at the cursor's size")},
    {QT_TRANSLATE_NOOP("tamis::views::CurveTableModel", "cost"), QT_TRANSLATE_NOOP("tamis::views::CurveTableModel", "What misses cost at the cursor's size: mean time a request, or their share of all costs that the trace has")},
    {QT_TRANSLATE_NOOP("tamis::views::CurveTableModel", "state"), QT_TRANSLATE_NOOP("tamis::views::CurveTableModel", "Bookkeeping at the largest size")},
    {QT_TRANSLATE_NOOP("tamis::views::CurveTableModel", "took"), QT_TRANSLATE_NOOP("tamis::views::CurveTableModel", "Time to compute the curve, on one thread")},
};
} // namespace

void CurveTableModel::setCurves(const std::vector<ShownCurve>& curves, bool sized)
{
    const bool same = std::ranges::equal(curves, m_curves, [](const ShownCurve& a, const ShownCurve& b) { return a.title == b.title && a.kept == b.kept; });
    m_sized = sized;
    if (same) { // the selection stays
        m_curves = curves;
        if (!m_curves.empty())
            emit dataChanged(index(0, 0), index(rowCount() - 1, kColumnCount - 1));
        return;
    }
    beginResetModel();
    m_curves = curves;
    endResetModel();
}

void CurveTableModel::setSize(std::uint64_t size)
{
    if (size == m_size)
        return;
    m_size = size;
    if (!m_curves.empty())
        emit dataChanged(index(0, HitColumn), index(rowCount() - 1, CostColumn));
}

void CurveTableModel::setMeasure(const CacheMeasure& measure)
{
    m_measure = measure;
    m_measure.counted = CacheMeasure::Counted::Cost;
    if (!m_curves.empty())
        emit dataChanged(index(0, CostColumn), index(rowCount() - 1, CostColumn));
}

bool CurveTableModel::watchesScene() const noexcept
{
    return std::ranges::any_of(m_curves, [](const ShownCurve& each) { return std::ranges::any_of(each.curve.points, [](const auto& point) { return std::isfinite(point.unruledHitRatio); }); });
}

int CurveTableModel::rowCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : static_cast<int>(m_curves.size()); }
int CurveTableModel::columnCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : kColumnCount; }

double CurveTableModel::number(const ShownCurve& shown, int column) const
{
    const std::optional<CurveReading> read = readCurve(shown.curve, m_size);
    const report::PolicyPoint* point = read ? &read->point : nullptr;
    switch (column) {
    case HitColumn: return point ? point->hitRatio : NAN;
    case UnwatchedColumn: return point ? point->unruledHitRatio : NAN;
    case ByteHitColumn: return point && m_sized ? point->byteHitRatio : NAN;
    case CostColumn: return point ? measureOf(*point, m_measure) : NAN;
    case StateColumn: return shown.curve.stateBytes > 0 ? static_cast<double>(shown.curve.stateBytes) : NAN;
    case TimeColumn: return shown.curve.seconds;
    default: return NAN;
    }
}

QVariant CurveTableModel::data(const QModelIndex& index, int role) const
{
    if (!index.isValid() || index.row() >= rowCount())
        return {};
    const ShownCurve& shown = m_curves[static_cast<std::size_t>(index.row())];
    const double value = number(shown, index.column());
    if (index.column() == TitleColumn) {
        if (role == Qt::DisplayRole)
            return shown.kept >= 0 ? tr("%1 (kept)").arg(shown.title) : shown.title;
        if (role == kSortRole)
            return shown.title;
        if (role == Qt::ToolTipRole)
            return !shown.curve.failure.empty()    ? QString::fromStdString(shown.curve.failure)
                   : shown.curve.rules.empty() ? tr("%1: %2").arg(shown.title, QString::fromStdString(shown.curve.settings))
                                               : tr("%1: %2\nRules: %3").arg(shown.title, QString::fromStdString(shown.curve.settings), QString::fromStdString(shown.curve.rules));
        if (role == Qt::DecorationRole) {
            QPixmap square(10, 10);
            square.fill(shown.curve.knowsFuture || shown.curve.limit ? Theme::instance().color(Ink::Baseline) : Theme::instance().seriesColor(shown.colour));
            return QIcon(square);
        }
        return {};
    }
    switch (role) {
    case kSortRole: return value;
    case Qt::TextAlignmentRole: return static_cast<int>(Qt::AlignRight | Qt::AlignVCenter);
    case Qt::ToolTipRole:
        return shown.curve.failure.empty() ? QVariant(readingText(shown, index.column())) : QVariant(QString::fromStdString(shown.curve.failure));
    case Qt::DisplayRole: break;
    default: return {};
    }
    if (!std::isfinite(value))
        return QStringLiteral("–");
    return shownText(shown, index.column(), value);
}

QString CurveTableModel::shownText(const ShownCurve& shown, int column, double value) const
{
    if (column == StateColumn)
        return formatBytes(value);
    if (column == TimeColumn)
        return formatDuration(value);
    const std::optional<CurveReading> read = readCurve(shown.curve, m_size);
    const QString mark = read->computed() ? QString() : QStringLiteral("≈ ");
    if (column == CostColumn && !m_measure.ofTrace)
        return mark + formatMilliseconds(value / 1000);
    const bool sampled = column == HitColumn && std::isfinite(read->point.deviation);
    return mark + (sampled ? QStringLiteral("%1 ± %2").arg(formatPercent(value, 2), formatPercent(read->point.deviation, 1)) : formatPercent(value, 2));
}

QString CurveTableModel::readingText(const ShownCurve& shown, int column) const
{
    if (column != HitColumn && column != UnwatchedColumn && column != ByteHitColumn && column != CostColumn)
        return {};
    const std::optional<CurveReading> read = readCurve(shown.curve, m_size);
    if (!read)
        return shown.curve.points.empty() ? QString() : tr("Computed from %1 to %2").arg(cacheSizeText(shown.curve.points.front().size, m_sized), cacheSizeText(shown.curve.points.back().size, m_sized));
    const auto hits = [&](const report::PolicyPoint& point) {
        const QString size = cacheSizeText(point.size, m_sized);
        return column == UnwatchedColumn ? tr("%1 scene changes at %2").arg(point.sceneChanges).arg(size) : tr("%1 hit at %2").arg(formatPercent(point.hitRatio, 2), size);
    };
    return read->computed() ? hits(*read->below) : tr("On the line between what was computed: %1, %2").arg(hits(*read->below), hits(*read->above));
}

QVariant CurveTableModel::headerData(int section, Qt::Orientation orientation, int role) const
{
    const char* text = headingText(kHeadings, section, orientation, role);
    return text ? QVariant(tr(text)) : QVariant();
}

} // namespace tamis::views
