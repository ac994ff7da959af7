// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/lowrank/comparison_measure.h"

#include "views/common/number_format.h"

#include <QCoreApplication>
#include <QFileInfo>

#include <algorithm>
#include <cmath>
#include <map>

namespace tamis::views {
namespace {
QString tr(const char* text) { return QCoreApplication::translate("ComparisonMeasure", text); }

bool isShare(ComparisonMeasure measure)
{
    switch (measure) {
    case ComparisonMeasure::Top1:
    case ComparisonMeasure::Top5:
    case ComparisonMeasure::Agreement:
    case ComparisonMeasure::HeldOutLoss:
    case ComparisonMeasure::CalibrationLoss: return true;
    default: return false;
    }
}

QString withoutUnit(const QString& text)
{
    const auto unit = text.indexOf(QChar(0x202f));
    return unit < 0 ? text : text.left(unit);
}
} // namespace

QString measureTitle(ComparisonMeasure measure)
{
    switch (measure) {
    case ComparisonMeasure::Perplexity: return tr("Perplexity");
    case ComparisonMeasure::BitsPerByte: return tr("Bits per byte");
    case ComparisonMeasure::Top1: return tr("Top-1");
    case ComparisonMeasure::Top5: return tr("Top-5");
    case ComparisonMeasure::Agreement: return tr("Agreement");
    case ComparisonMeasure::Kl: return tr("KL to dense (nats)");
    case ComparisonMeasure::LogitCosine: return tr("Output cosine");
    case ComparisonMeasure::HeldOutLoss: return tr("Held-out loss");
    case ComparisonMeasure::CalibrationLoss: return tr("Calibration loss");
    }
    return {};
}

QString measureHelp(ComparisonMeasure measure)
{
    switch (measure) {
    case ComparisonMeasure::Perplexity: return tr("Exponential of the mean cross-entropy of the next token, on the held-out samples");
    case ComparisonMeasure::BitsPerByte: return tr("Cross-entropy over the bytes of the held-out text");
    case ComparisonMeasure::Top1: return tr("Share of the held-out samples whose label comes first");
    case ComparisonMeasure::Top5: return tr("Share of the held-out samples whose label is among the first five");
    case ComparisonMeasure::Agreement: return tr("Share of predictions whose first choice is that of the dense model");
    case ComparisonMeasure::Kl: return tr("Mean Kullback-Leibler divergence of the compressed model's predictions from the dense model's");
    case ComparisonMeasure::LogitCosine: return tr("Cosine between the outputs of both models");
    case ComparisonMeasure::HeldOutLoss: return tr("Mean over the replaced matrices of the relative squared error on the held-out rows of the calibration set");
    case ComparisonMeasure::CalibrationLoss: return tr("Mean over the replaced matrices of the relative squared error on the calibration tokens");
    }
    return {};
}

bool lowerIsBetter(ComparisonMeasure measure)
{
    switch (measure) {
    case ComparisonMeasure::Top1:
    case ComparisonMeasure::Top5:
    case ComparisonMeasure::Agreement:
    case ComparisonMeasure::LogitCosine: return false;
    default: return true;
    }
}

report::Measured measured(const report::ComparisonRow& row, ComparisonMeasure measure)
{
    switch (measure) {
    case ComparisonMeasure::Perplexity: return row.quality.perplexity;
    case ComparisonMeasure::BitsPerByte: return row.quality.bitsPerByte;
    case ComparisonMeasure::Top1: return row.quality.top1;
    case ComparisonMeasure::Top5: return row.quality.top5;
    case ComparisonMeasure::Agreement: return row.fidelity.agreement;
    case ComparisonMeasure::Kl: return row.fidelity.kl;
    case ComparisonMeasure::LogitCosine: return row.fidelity.logitCosine;
    case ComparisonMeasure::HeldOutLoss: return {row.failure.empty() ? row.heldOutRelativeLoss : report::kNotMeasured, report::kNotMeasured};
    case ComparisonMeasure::CalibrationLoss: return {row.failure.empty() ? row.relativeLoss : report::kNotMeasured, report::kNotMeasured};
    }
    return {};
}

QString formatLoss(double relative)
{
    const double size = std::abs(relative);
    return formatPercent(relative, size >= 0.0995 || size == 0 ? 1 : size >= 0.000995 ? 2 : size >= 0.0000995 ? 3 : 4);
}

QString formatMeasure(ComparisonMeasure measure, double value)
{
    switch (measure) {
    case ComparisonMeasure::HeldOutLoss:
    case ComparisonMeasure::CalibrationLoss: return formatLoss(value);
    default: return isShare(measure) ? formatPercent(value) : formatNumber(value, 4);
    }
}

QString formatMeasured(ComparisonMeasure measure, const report::Measured& value)
{
    if (!value.present())
        return QStringLiteral("–");
    const QString mean = formatMeasure(measure, value.mean);
    if (!std::isfinite(value.deviation))
        return mean;
    const QString spread = isShare(measure) ? withoutUnit(formatPercent(value.deviation)) : formatNumber(value.deviation, 2);
    return withoutUnit(mean) + QStringLiteral(" ± ") + spread + mean.mid(withoutUnit(mean).size());
}

std::vector<ComparisonMeasure> presentMeasures(const report::MethodComparison& comparison)
{
    std::vector<ComparisonMeasure> present;
    for (const ComparisonMeasure measure : kComparisonMeasures)
        if (std::any_of(comparison.rows.begin(), comparison.rows.end(),
                        [&](const auto& row) { return row.method != "dense" && measured(row, measure).present(); }))
            present.push_back(measure);
    return present;
}

double costOf(const report::ComparisonRow& row, CostUnit unit)
{
    if (!row.failure.empty())
        return report::kNotMeasured;
    return unit == CostUnit::Latency ? row.latencyMs : costIn(unit, row.cost);
}

std::vector<bool> frontOf(const report::MethodComparison& comparison, CostUnit unit, ComparisonMeasure measure)
{
    struct Place {
        double cost, bad; ///< the less the better, both
    };
    std::vector<Place> places;
    for (const auto& row : comparison.rows) {
        const double value = measured(row, measure).mean;
        places.push_back({costOf(row, unit), lowerIsBetter(measure) ? value : -value});
    }
    std::vector<bool> front;
    for (const Place& a : places)
        front.push_back(std::isfinite(a.cost) && std::isfinite(a.bad) && std::none_of(places.begin(), places.end(), [&](const Place& b) {
                            return b.cost <= a.cost && b.bad <= a.bad && (b.cost < a.cost || b.bad < a.bad);
                        }));
    return front;
}

std::vector<int> colorsOf(const report::MethodComparison& comparison)
{
    std::map<std::string, int> known;
    std::vector<int> colors;
    for (const auto& row : comparison.rows)
        colors.push_back(row.baseline ? -1 : known.try_emplace(row.label, static_cast<int>(known.size())).first->second);
    return colors;
}

QString rowTitle(const report::ComparisonRow& row)
{
    const QString label = QString::fromStdString(row.label);
    return row.baseline ? label : tr("%1, keep %2").arg(label, formatPercent(row.keep, 0));
}

QString comparisonCaption(const report::MethodComparison& comparison)
{
    QString text = QFileInfo(QString::fromStdString(comparison.model)).fileName();
    if (!comparison.calibration.empty())
        text += tr("; calibration: %1").arg(QString::fromStdString(comparison.calibration));
    if (!comparison.samples.empty())
        text += tr("; held-out: %1").arg(QString::fromStdString(comparison.samples));
    for (const auto& row : comparison.rows)
        if (!row.baseline && !row.settings.empty())
            return text + tr("; %1").arg(QString::fromStdString(row.settings).section(QStringLiteral(", "), 0, 1));
    return text;
}

} // namespace tamis::views
