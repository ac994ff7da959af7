// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/joint_layers.h"

#include <algorithm>

namespace tamis::lowrank {
namespace {

/// The parts of a fused projection: joint ones where they are, whitened rows of the whole's keep elsewhere.
void putFused(CompressionRun& run, const LayerTargets& layer, nn::LinearPtr query, nn::LinearPtr key, nn::LinearPtr value, double ridge, const RunContext& context)
{
    const AttentionParts parts = attentionParts(*run.inputs().model, layer.layer);
    const auto rest = [&](const Projection& part) { return run.rank(*layer.fused) > 0 ? localRows(run, *layer.fused, part, ridge, context) : nn::LinearPtr{}; };
    if (!query)
        query = rest(parts.query);
    if (!key)
        key = rest(parts.key);
    if (!value)
        value = rest(parts.value);
    const auto operators = asOperators(parts, std::move(query), std::move(key), std::move(value));
    run.put(*layer.fused, operators.empty() ? nullptr : operators[0].second, context);
}

void compressLayer(CompressionRun& run, const LayerTargets& layer, ScoreCompression* scores, ValueCompression* values, double ridge, const RunContext& context,
                   const MlpCompression& mlp)
{
    std::optional<ScoreCompression::Chosen> attention;
    std::optional<ValueCompression::Chosen> mixing;
    if (scores && layer.scores())
        attention = scores->compress(layer, context);
    if (values && layer.values())
        mixing = values->compress(layer, context);
    std::vector<const io::MatrixRef*> rest;
    if (layer.fused) {
        if (attention || mixing)
            putFused(run, layer, attention ? attention->query : nullptr, attention ? attention->key : nullptr, mixing ? mixing->value : nullptr, ridge, context);
        else
            rest.push_back(layer.fused);
    } else {
        if (attention) {
            run.put(*layer.query, attention->query, context);
            run.put(*layer.key, attention->key, context);
        } else {
            rest.insert(rest.end(), {layer.query, layer.key});
        }
        if (mixing)
            run.put(*layer.value, mixing->value, context);
        else
            rest.push_back(layer.value);
    }
    if (mixing)
        run.put(*layer.output, mixing->output, context);
    else
        rest.push_back(layer.output);
    if (!mlp || !mlp(layer, context))
        rest.insert(rest.end(), layer.others.begin(), layer.others.end());
    for (const io::MatrixRef* matrix : rest)
        if (matrix)
            run.putLocal(*matrix, ridge, context);
}
} // namespace

void compressLayers(CompressionRun& run, ScoreCompression* scores, ValueCompression* values, const RunContext& context, const MlpCompression& mlp)
{
    const double ridge = run.report().parameters.real("ridge");
    context.setParts(static_cast<double>(std::max<std::size_t>(1, run.layers().size())));
    for (const LayerTargets& layer : run.layers()) {
        const RunContext part = context.part(1, "layer " + std::to_string(layer.layer));
        compressLayer(run, layer, scores, values, ridge, part, mlp);
        part.finish();
    }
}

} // namespace tamis::lowrank
