// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/model/layer_measure.h"

#include "views/common/number_format.h"

#include <QObject>
#include <QStringList>

#include <algorithm>

namespace tamis::views {

double measureOf(const report::LayerCost& layer, LayerMeasure measure)
{
    switch (measure) {
    case LayerMeasure::Parameters: return static_cast<double>(layer.parameters);
    case LayerMeasure::Macs: return static_cast<double>(layer.macs);
    case LayerMeasure::WeightBytes: return static_cast<double>(layer.weightBytes);
    case LayerMeasure::ActivationBytes: return static_cast<double>(layer.activationBytes);
    case LayerMeasure::PredictedMs: return layer.predictedMs;
    case LayerMeasure::MeasuredMs: return layer.measuredMs;
    }
    return report::kNotMeasured;
}

QString measureTitle(LayerMeasure measure)
{
    switch (measure) {
    case LayerMeasure::Parameters: return QObject::tr("Parameters");
    case LayerMeasure::Macs: return QObject::tr("MACs");
    case LayerMeasure::WeightBytes: return QObject::tr("Weight bytes");
    case LayerMeasure::ActivationBytes: return QObject::tr("Activation bytes");
    case LayerMeasure::PredictedMs: return QObject::tr("Predicted time");
    case LayerMeasure::MeasuredMs: return QObject::tr("Measured time");
    }
    return {};
}

QString formatMeasure(LayerMeasure measure, double value)
{
    switch (measure) {
    case LayerMeasure::Parameters:
    case LayerMeasure::Macs: return formatCount(value);
    case LayerMeasure::WeightBytes:
    case LayerMeasure::ActivationBytes: return formatBytes(value);
    case LayerMeasure::PredictedMs:
    case LayerMeasure::MeasuredMs: return value < 0.1 ? formatNumber(value * 1000, 3) + QStringLiteral("\u202fµs") : formatMilliseconds(value);
    }
    return {};
}

bool isCompressed(const report::LayerCost& layer)
{
    return !layer.form.empty() && layer.form != "dense" && layer.form != "exact" && layer.form != "window" && layer.form != "relative";
}

QString formText(const report::LayerCost& layer)
{
    const QString form = QString::fromStdString(layer.form);
    return layer.rank > 0 ? QObject::tr("%1, rank %2").arg(form).arg(layer.rank) : form;
}

QString shapeText(const report::LayerCost& layer)
{
    if (layer.inputShape.empty() || layer.outputShape.empty())
        return {};
    return QStringLiteral("%1 → %2").arg(layer.inputShape.back()).arg(layer.outputShape.back());
}

QString sampleShapeText(const std::vector<std::int64_t>& shape)
{
    QStringList parts;
    for (const auto extent : shape)
        parts << QString::number(extent);
    return parts.isEmpty() ? QStringLiteral("–") : parts.join(QStringLiteral(" × "));
}

QString shortLayerName(const report::LayerCost& layer)
{
    const QStringList parts = QString::fromStdString(layer.name).split(QLatin1Char('.'));
    if (layer.block < 0)
        return parts.mid(std::max<qsizetype>(parts.size() - 2, parts.first() == QLatin1String("model"))).join(QLatin1Char('.'));
    qsizetype last = -1; // Swin has two indices: the stage's and the block's
    for (qsizetype i = 0; i + 1 < parts.size(); ++i) {
        bool number = false;
        parts[i].toInt(&number);
        if (number)
            last = i;
    }
    return parts.mid(last + 1).join(QLatin1Char('.'));
}

QString layerSummary(const report::LayerCost& layer)
{
    QStringList lines{QString::fromStdString(layer.name)};
    QString what = QString::fromStdString(layer.kind);
    if (const QString form = formText(layer); !form.isEmpty())
        what += QStringLiteral(" · ") + form;
    lines << what << QObject::tr("%1 in, %2 out").arg(sampleShapeText(layer.inputShape), sampleShapeText(layer.outputShape));
    for (const LayerMeasure measure : kLayerMeasures)
        if (const double value = measureOf(layer, measure); value == value)
            lines << QStringLiteral("%1: %2").arg(measureTitle(measure), formatMeasure(measure, value));
    lines << QObject::tr("Intensity: %1 FLOP/byte").arg(formatNumber(layer.intensity, 3));
    return lines.join(QLatin1Char('\n'));
}

} // namespace tamis::views
