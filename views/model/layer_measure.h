// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What a layer can be measured by, and how layers are named: shared by the chain, the table and the roofline.
#include "core/report/model_report.h"

#include <QString>

#include <vector>

namespace tamis::views {

enum class LayerMeasure { Parameters, Macs, WeightBytes, ActivationBytes, PredictedMs, MeasuredMs };
inline constexpr LayerMeasure kLayerMeasures[] = {LayerMeasure::Parameters,      LayerMeasure::Macs,        LayerMeasure::WeightBytes,
                                                  LayerMeasure::ActivationBytes, LayerMeasure::PredictedMs, LayerMeasure::MeasuredMs};

double measureOf(const report::LayerCost& layer, LayerMeasure measure); ///< NaN: not known
QString measureTitle(LayerMeasure measure);                             ///< "Parameters", "Measured"
QString formatMeasure(LayerMeasure measure, double value);              ///< NaN is a dash

bool isCompressed(const report::LayerCost& layer); ///< a linear operator or an attention in another form than the checkpoint's
QString formText(const report::LayerCost& layer);  ///< "dense", "factors, rank 57", "exact"; "" where there is no choice
QString shapeText(const report::LayerCost& layer); ///< features in and out: "128 → 384"
QString sampleShapeText(const std::vector<std::int64_t>& shape); ///< "65 × 128"; "–" when empty
/// `name` without the block it stands in: "blocks.3.attn.qkv" -> "attn.qkv"; outside the blocks the last two parts.
QString shortLayerName(const report::LayerCost& layer);
QString layerSummary(const report::LayerCost& layer); ///< several lines, for tool tips

} // namespace tamis::views
