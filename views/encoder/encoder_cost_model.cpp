// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/encoder/encoder_cost_model.h"

#include "views/common/inline_bar_delegate.h"
#include "views/common/number_format.h"
#include "views/common/theme.h"

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
using Model = EncoderCostModel;
struct Heading {
    const char* title;
    const char* help;
};
constexpr Heading kHeadings[Model::kColumnCount] = {
    {QT_TRANSLATE_NOOP("EncoderCostModel", "Cost"), QT_TRANSLATE_NOOP("EncoderCostModel", "What is counted or measured")},
    {QT_TRANSLATE_NOOP("EncoderCostModel", "This encoder"), QT_TRANSLATE_NOOP("EncoderCostModel", "Counted from the shapes, or the median of the calls")},
    {QT_TRANSLATE_NOOP("EncoderCostModel", "Exact"), QT_TRANSLATE_NOOP("EncoderCostModel", "The dense float32 scan, measured in the same run")},
    {QT_TRANSLATE_NOOP("EncoderCostModel", "Speed-up, predicted"),
     QT_TRANSLATE_NOOP("EncoderCostModel", "From the shapes: a machine that waits for bytes gains the ratio of the bytes, one that waits for multiply-adds theirs")},
    {QT_TRANSLATE_NOOP("EncoderCostModel", "Speed-up, measured"), QT_TRANSLATE_NOOP("EncoderCostModel", "Median of the exact scan over the median of this encoder")}};

QString times(double ratio)
{
    if (!std::isfinite(ratio))
        return QStringLiteral("–");
    return QString::number(ratio, 'f', ratio < 9.95 ? 2 : ratio < 99.5 ? 1 : 0) + QStringLiteral("\u202f×");
}

double ratio(double exact, double encoder) { return encoder > 0 && exact > 0 ? exact / encoder : report::kNotMeasured; }
} // namespace

SpeedUpRange predictedSpeedUp(const report::EncoderReport& report)
{
    const double bytes = ratio(report.exactCost.bytesRead, report.cost.bytesRead), macs = ratio(report.exactCost.macs, report.cost.macs);
    if (!std::isfinite(bytes) || !std::isfinite(macs))
        return {report::kNotMeasured, report::kNotMeasured};
    return {std::min(bytes, macs), std::max(bytes, macs)};
}

void Model::setReport(std::shared_ptr<const report::EncoderReport> report)
{
    std::vector<Row> rows;
    if (report) {
        const auto same = [](double value) { return SpeedUpRange{value, value}; };
        const auto& a = report->cost;
        const auto& b = report->exactCost;
        const auto shape = [&](const QString& quantity, const QString& help, Unit unit, double encoder, double exact) {
            rows.push_back({quantity, help, unit, encoder, exact, report::kNotMeasured, same(ratio(exact, encoder)), report::kNotMeasured});
        };
        shape(tr("MACs a token"), tr("Multiply-adds, from the shapes; what depends on the tokens is their mean"), Unit::Count, a.macs, b.macs);
        shape(tr("Bytes read a token"), tr("Weights that one token alone reads"), Unit::Bytes, a.bytesRead, b.bytesRead);
        rows.push_back({tr("Memory"), tr("Weights that are kept, rows for the exact re-ranking included"), Unit::Bytes, static_cast<double>(a.bytes), static_cast<double>(b.bytes),
                        report::kNotMeasured, same(report::kNotMeasured), report::kNotMeasured});
        for (const auto& latency : report->latency)
            rows.push_back({latency.batch == 1 ? tr("Time, 1 token a call") : tr("Time, %1 tokens a call").arg(latency.batch), tr("Median of the calls on this machine"), Unit::Milliseconds,
                            latency.p50, latency.exactP50, latency.p99, predictedSpeedUp(*report), ratio(latency.exactP50, latency.p50)});
    }
    const bool same = rows.size() == m_rows.size();
    if (!same)
        beginResetModel();
    m_rows = std::move(rows);
    if (!same)
        endResetModel();
    else if (!m_rows.empty())
        emit dataChanged(index(0, 0), index(rowCount() - 1, kColumnCount - 1));
}

int Model::rowCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : static_cast<int>(m_rows.size()); }
int Model::columnCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : static_cast<int>(kColumnCount); }

QString Model::number(Unit unit, double value)
{
    switch (unit) {
    case Unit::Count: return formatCount(value);
    case Unit::Bytes: return formatBytes(value);
    case Unit::Milliseconds: return value < 0.1 ? QString::number(1000 * value, 'f', 1) + QStringLiteral("\u202fµs") : formatMilliseconds(value);
    }
    return {};
}

QVariant Model::data(const QModelIndex& at, int role) const
{
    if (!at.isValid() || at.row() >= rowCount())
        return {};
    const Row& row = m_rows[static_cast<std::size_t>(at.row())];
    const double values[kColumnCount] = {0, row.encoder, row.exact, row.predicted.low, row.measured};
    const double value = values[at.column()];
    switch (role) {
    case Qt::DisplayRole:
        switch (at.column()) {
        case QuantityColumn: return row.quantity;
        case EncoderColumn:
        case ExactColumn: return number(row.unit, value);
        case PredictedColumn:
            if (!std::isfinite(row.predicted.low) || row.predicted.high < 1.01 * row.predicted.low)
                return times(row.predicted.low);
            return times(row.predicted.low).chopped(2) + QStringLiteral(" – ") + times(row.predicted.high);
        default: return times(row.measured);
        }
    case Qt::TextAlignmentRole: return static_cast<int>((at.column() == QuantityColumn ? Qt::AlignLeft : Qt::AlignRight) | Qt::AlignVCenter);
    case Qt::ToolTipRole:
        if (at.column() == EncoderColumn && std::isfinite(row.p99))
            return tr("%1; the slowest hundredth takes %2 or more").arg(row.help, number(row.unit, row.p99));
        return at.column() == QuantityColumn ? row.help : tr(kHeadings[at.column()].help);
    case Qt::ForegroundRole:
        if (at.column() == MeasuredColumn && std::isfinite(row.measured))
            return Theme::instance().color(row.measured >= 1 ? Ink::Good : Ink::Loss);
        return {};
    case kSortRole: return at.column() == QuantityColumn ? QVariant(row.quantity) : QVariant(value);
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
