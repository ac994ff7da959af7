// SPDX-License-Identifier: GPL-3.0-or-later
// Tables and JSON of token_picture.h.
#include "views/tokens/token_picture.h"

#include <QCoreApplication>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>

#include <cmath>

namespace tamis::views {
namespace {
QJsonValue number(double value) { return std::isfinite(value) ? QJsonValue(value) : QJsonValue(); } // JSON knows no NaN

template <class Values> QJsonArray numbers(const Values& values)
{
    QJsonArray array;
    for (const auto value : values)
        array.append(number(static_cast<double>(value)));
    return array;
}

QJsonArray classes(const std::vector<report::ClassProbability>& all)
{
    QJsonArray array;
    for (const auto& one : all)
        array.append(QJsonObject{{"index", one.index}, {"name", QString::fromStdString(one.name)}, {"probability", number(one.probability)}});
    return array;
}

QJsonObject layerJson(const report::TokenLayer& layer)
{
    QJsonArray kept;
    for (std::size_t source = 0; source < layer.group.size(); ++source)
        if (layer.group[source] >= 0)
            kept.append(static_cast<int>(source));
    QJsonObject object{{"block", layer.block}, {"tokens_before", static_cast<qint64>(layer.before)}, {"tokens_after", static_cast<qint64>(layer.after)},
                       {"macs", static_cast<qint64>(layer.macs)}, {"kept", kept}, {"token_of", numbers(layer.group)}, {"sizes", numbers(layer.sizes)}};
    if (!layer.scores.empty())
        object.insert("scores", numbers(layer.scores));
    return object;
}
} // namespace

QString patchName(const TokenPicture& picture, int patch)
{
    return QCoreApplication::translate("TokenPicture", "row %1, column %2").arg(patch / std::max(picture.columns(), 1) + 1).arg(patch % std::max(picture.columns(), 1) + 1);
}

QString tokensCsv(const report::TokenOverlay& overlay)
{
    QString text = QStringLiteral("token,row,column");
    for (const auto& layer : overlay.layers)
        text += QStringLiteral(",block_%1").arg(layer.block);
    text += QLatin1Char('\n');
    const std::int64_t sources = overlay.prefix + overlay.gridRows * overlay.gridCols;
    for (std::int64_t source = 0; source < sources; ++source) {
        const std::int64_t patch = source - overlay.prefix;
        text += QString::number(source) + (patch < 0 ? QStringLiteral(",,") : QStringLiteral(",%1,%2").arg(patch / overlay.gridCols).arg(patch % overlay.gridCols));
        for (const auto& layer : overlay.layers)
            text += QLatin1Char(',') + QString::number(layer.group[static_cast<std::size_t>(source)]);
        text += QLatin1Char('\n');
    }
    return text;
}

QByteArray tokensJson(const report::TokenOverlay& overlay, const std::vector<report::TokenWish>& wishes)
{
    QJsonArray layers, keep, drop;
    for (const auto& layer : overlay.layers)
        layers.append(layerJson(layer));
    for (std::size_t source = 0; source < wishes.size(); ++source)
        if (wishes[source] != report::TokenWish::None)
            (wishes[source] == report::TokenWish::Keep ? keep : drop).append(static_cast<int>(source));
    const QJsonObject object{{"file", QString::fromStdString(overlay.file)}, {"method", QString::fromStdString(overlay.method)},
                             {"settings", QString::fromStdString(overlay.settings)}, {"prefix_tokens", static_cast<qint64>(overlay.prefix)},
                             {"grid_rows", static_cast<qint64>(overlay.gridRows)}, {"grid_columns", static_cast<qint64>(overlay.gridCols)},
                             {"macs", static_cast<qint64>(overlay.macs)}, {"macs_whole", static_cast<qint64>(overlay.fullMacs)},
                             {"embedding_shift", number(overlay.embeddingShift)}, {"unmerged_shift", numbers(overlay.unmergedShift)}, {"score", QString::fromStdString(overlay.scoreTitle)},
                             {"classes_whole", classes(overlay.before)}, {"classes_reduced", classes(overlay.after)},
                             {"remark", QString::fromStdString(overlay.remark)}, {"kept_by_hand", keep}, {"dropped_by_hand", drop}, {"layers", layers}};
    return QJsonDocument(object).toJson(QJsonDocument::Indented);
}

} // namespace tamis::views
