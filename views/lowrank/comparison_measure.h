// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What a row of a comparison can be judged by, and what it costs.
#include "core/report/lowrank_report.h"
#include "views/common/pareto_chart.h"

#include <QString>

#include <vector>

namespace tamis::views {

enum class ComparisonMeasure { Perplexity, BitsPerByte, Top1, Top5, Kl, Agreement, LogitCosine, HeldOutLoss, CalibrationLoss };
inline constexpr ComparisonMeasure kComparisonMeasures[] = {
    ComparisonMeasure::Perplexity, ComparisonMeasure::BitsPerByte, ComparisonMeasure::Top1,        ComparisonMeasure::Top5,           ComparisonMeasure::Kl,
    ComparisonMeasure::Agreement,  ComparisonMeasure::LogitCosine, ComparisonMeasure::HeldOutLoss, ComparisonMeasure::CalibrationLoss};

QString measureTitle(ComparisonMeasure measure); ///< with its unit where it has one: "KL to dense (nats)"
QString measureHelp(ComparisonMeasure measure);
bool lowerIsBetter(ComparisonMeasure measure);
/// NaN where the row has no such measurement. Losses have no spread.
report::Measured measured(const report::ComparisonRow& row, ComparisonMeasure measure);
QString formatLoss(double relative); ///< percent with two significant digits at least: "0.012 %"
QString formatMeasure(ComparisonMeasure measure, double value);
QString formatMeasured(ComparisonMeasure measure, const report::Measured& value); ///< "23.1 ± 0.4"; a dash for NaN
/// Those that at least one compressed row has, in the order above.
std::vector<ComparisonMeasure> presentMeasures(const report::MethodComparison& comparison);

/// Latency is the measured one of the whole model.
double costOf(const report::ComparisonRow& row, CostUnit unit);
/// For each row: no other row with both values is at least as cheap and as good, and better in one.
std::vector<bool> frontOf(const report::MethodComparison& comparison, CostUnit unit, ComparisonMeasure measure);
/// Colour of a row's method: 0, 1, ... by first appearance among the rows that are no baselines; -1 for baselines.
std::vector<int> colorsOf(const report::MethodComparison& comparison);
/// "whitened SVD, keep 60 %"; baselines have no keep.
QString rowTitle(const report::ComparisonRow& row);
/// Protocol in one line, for captions.
QString comparisonCaption(const report::MethodComparison& comparison);

} // namespace tamis::views
