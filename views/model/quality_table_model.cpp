// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/model/quality_table_model.h"

#include "views/common/inline_bar_delegate.h"
#include "views/common/number_format.h"
#include "views/common/theme.h"

#include <QBrush>

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
report::Measured only(double value) { return {value, report::kNotMeasured}; }

/// "71.3 ± 2.1 %": the unit once.
QString withSpread(const QString& mean, const QString& deviation)
{
    const auto unit = mean.indexOf(QChar(0x202f));
    const auto own = deviation.indexOf(QChar(0x202f));
    return (unit < 0 ? mean : mean.left(unit)) + QStringLiteral(" ± ") + (own < 0 ? deviation : deviation.left(own)) + (unit < 0 ? QString() : mean.mid(unit));
}
} // namespace

void QualityTableModel::setReport(const std::shared_ptr<const report::EvaluationReport>& report)
{
    beginResetModel();
    m_rows.clear();
    if (report) {
        const bool compared = !report->plan.empty();
        const auto add = [&](const QString& title, const QString& help, report::Measured dense, report::Measured compressed, Unit unit, Better better) {
            if (!compared)
                compressed = {};
            if (dense.present() || compressed.present())
                m_rows.push_back({title, help, dense, compressed, unit, better});
        };
        const auto& now = report->quality;
        const auto& before = compared ? report->baselineQuality : report->quality;
        add(tr("Top-1"), tr("Share of the samples whose label comes first"), before.top1, now.top1, Unit::Percent, Better::Higher);
        add(tr("Top-5"), tr("Share of the samples whose label is among the first five"), before.top5, now.top5, Unit::Percent, Better::Higher);
        add(tr("Perplexity"), tr("Exponential of the mean cross-entropy a token"), before.perplexity, now.perplexity, Unit::Number, Better::Lower);
        add(tr("Bits a byte"), tr("Cross-entropy over the bytes of the text"), before.bitsPerByte, now.bitsPerByte, Unit::Number, Better::Lower);
        add(tr("Top-1 agreement"), tr("Share of the predictions that both models share"), {}, report->fidelity.agreement, Unit::Percent, Better::Higher);
        add(tr("KL divergence"), tr("KL(dense || compressed), nats a prediction"), {}, report->fidelity.kl, Unit::Number, Better::Lower);
        add(tr("Logit cosine"), tr("Cosine between the logits of both models"), {}, report->fidelity.logitCosine, Unit::Number, Better::Higher);
        const auto& cost = report->cost;
        const auto& base = compared ? report->baselineCost : report->cost;
        add(tr("Parameters"), tr("Stored numbers"), only(static_cast<double>(base.parameters)), only(static_cast<double>(cost.parameters)), Unit::Count, Better::Lower);
        add(tr("Weights"), tr("Bytes of the weights"), only(static_cast<double>(base.bytes)), only(static_cast<double>(cost.bytes)), Unit::Bytes, Better::Lower);
        add(tr("MACs"), tr("Multiplications and additions a token, linear operators"), only(static_cast<double>(base.macs)), only(static_cast<double>(cost.macs)), Unit::Count, Better::Lower);
        add(tr("Latency"), tr("Median time of a batch on this machine"), only(base.latencyMs), only(cost.latencyMs), Unit::Milliseconds, Better::Lower);
    }
    endResetModel();
}

int QualityTableModel::rowCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : static_cast<int>(m_rows.size()); }
int QualityTableModel::columnCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : static_cast<int>(kColumnCount); }

QString QualityTableModel::text(const report::Measured& value, Unit unit)
{
    if (!value.present())
        return QStringLiteral("–");
    const auto one = [&](double v, int digits) {
        switch (unit) {
        case Unit::Percent: return formatPercent(v);
        case Unit::Count: return formatCount(v);
        case Unit::Bytes: return formatBytes(v);
        case Unit::Milliseconds: return formatMilliseconds(v);
        case Unit::Number: return formatNumber(v, digits);
        }
        return QString();
    };
    return std::isfinite(value.deviation) ? withSpread(one(value.mean, 4), one(value.deviation, 2)) : one(value.mean, 4);
}

QString QualityTableModel::change(const Row& row)
{
    if (!row.dense.present() || !row.compressed.present())
        return {};
    if (row.unit != Unit::Percent)
        return formatChange(row.dense.mean, row.compressed.mean);
    const double points = 100 * (row.compressed.mean - row.dense.mean);
    const QString size = QString::number(std::abs(points), 'f', 1);
    return size == QLatin1String("0.0") ? QStringLiteral("±0 pp") : (points < 0 ? QStringLiteral("−") : QStringLiteral("+")) + size + QStringLiteral(" pp");
}

int QualityTableModel::verdict(const Row& row) const
{
    if (row.better == Better::Neither || !row.dense.present() || !row.compressed.present())
        return 0;
    const double by = row.compressed.mean - row.dense.mean;
    double spread = 0;
    for (const double d : {row.dense.deviation, row.compressed.deviation})
        if (std::isfinite(d))
            spread = std::max(spread, d);
    if (std::abs(by) <= spread || by == 0)
        return 0;
    return (by > 0) == (row.better == Better::Higher) ? 1 : -1;
}

QVariant QualityTableModel::data(const QModelIndex& at, int role) const
{
    if (!at.isValid() || at.row() >= rowCount())
        return {};
    const auto& row = m_rows[static_cast<std::size_t>(at.row())];
    const auto& value = at.column() == DenseColumn ? row.dense : row.compressed;
    const bool values = at.column() == DenseColumn || at.column() == CompressedColumn;
    switch (role) {
    case Qt::DisplayRole:
        return at.column() == QuantityColumn ? row.title : at.column() == ChangeColumn ? change(row) : text(value, row.unit);
    case Qt::ToolTipRole: {
        QString all = row.help;
        if (row.dense.present() && row.compressed.present() && verdict(row) == 0 && row.better != Better::Neither)
            all += QLatin1Char('\n') + tr("The change is within the spread over the batches.");
        return all;
    }
    case Qt::TextAlignmentRole: return static_cast<int>((at.column() == QuantityColumn ? Qt::AlignLeft : Qt::AlignRight) | Qt::AlignVCenter);
    case kSortRole:
        if (at.column() == QuantityColumn)
            return row.title;
        if (values)
            return value.mean;
        return row.dense.present() && row.compressed.present() ? row.compressed.mean - row.dense.mean : report::kNotMeasured;
    case kFractionRole: return values && row.unit == Unit::Percent && value.present() ? QVariant(std::clamp(value.mean, 0.0, 1.0)) : QVariant();
    case kToneRole: return at.column() == CompressedColumn ? QVariant(static_cast<int>(Ink::HeldOut)) : QVariant();
    case Qt::ForegroundRole:
        if (at.column() == ChangeColumn && verdict(row) != 0)
            return QBrush(Theme::instance().color(verdict(row) > 0 ? Ink::Good : Ink::Loss));
        return {};
    default: return {};
    }
}

QVariant QualityTableModel::headerData(int section, Qt::Orientation orientation, int role) const
{
    if (orientation != Qt::Horizontal || role != Qt::DisplayRole)
        return {};
    switch (section) {
    case QuantityColumn: return tr("Quantity");
    case DenseColumn: return tr("Dense");
    case CompressedColumn: return tr("Compressed");
    case ChangeColumn: return tr("Change");
    default: return {};
    }
}

} // namespace tamis::views
