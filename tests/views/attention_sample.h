// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Attention-map reports by closed forms: a photo of a grid of patches behind one class token, or a causal text.
#include "core/report/attention_map_report.h"

#include <cmath>
#include <memory>
#include <string>

namespace tamis::sample {

inline std::vector<float> attentionRows(int tokens, bool causal, double sharpness, double shift)
{
    std::vector<float> values(static_cast<std::size_t>(tokens * tokens));
    for (int q = 0; q < tokens; ++q) {
        double sum = 0;
        const int seen = causal ? q + 1 : tokens;
        for (int k = 0; k < seen; ++k)
            sum += std::exp(sharpness * std::cos(0.7 * q - 0.4 * k + shift));
        for (int k = 0; k < seen; ++k)
            values[static_cast<std::size_t>(q * tokens + k)] = static_cast<float>(std::exp(sharpness * std::cos(0.7 * q - 0.4 * k + shift)) / sum);
    }
    return values;
}

/// 4 layers of 3 heads; head h of layer l has the map error 0.01 (3 l + h + 1) joint, twice that separate.
inline std::shared_ptr<report::AttentionMapReport> attentionReport(bool photo, int layer = 1, int head = 2, bool complete = true)
{
    auto r = std::make_shared<report::AttentionMapReport>();
    r->model = "sample";
    r->sample = photo ? "cat.jpg" : "sequence 0";
    r->layer = layer;
    r->head = head;
    r->layers = 4;
    r->heads = r->keyValueHeads = 3;
    r->headsOfLayer = {3, 3, 3, 3};
    r->mostQueryRank = r->mostKeyRank = 8;
    r->queryRank = 5;
    r->keyRank = 3;
    r->causal = !photo;
    r->tokens = photo ? 17 : 12;
    if (photo) {
        r->prefixTokens = 1;
        r->gridHeight = r->gridWidth = 4;
    } else {
        for (int i = 0; i < 12; ++i)
            r->tokenLabels.push_back("word" + std::to_string(i));
    }
    r->exact = attentionRows(static_cast<int>(r->tokens), r->causal, 2.0, 0);
    r->approximate = attentionRows(static_cast<int>(r->tokens), r->causal, 1.7, 0.1);
    const auto errors = [](int l, int h) {
        const double e = 0.01 * (3 * l + h + 1);
        return report::AttentionHead{.layer = l, .head = h, .joint = {e, e / 2, e / 3}, .separate = {2 * e, e, 2 * e / 3}, .plan = {}};
    };
    r->shown = errors(layer, head);
    r->planes = {{layer, "query", {8, 4, 2, 1, 0.5, 0.25, 0.125, 0.0625}, 5}, {layer, "key", {9, 3, 1, 0.3, 0.1, 0.03, 0.01, 0.003}, 3}};
    r->cost = {.dense = 2000, .approximate = 1000};
    r->complete = complete;
    if (complete) {
        for (int l = 0; l < 4; ++l)
            for (int h = 0; h < 3; ++h)
                r->allHeads.push_back(errors(l, h));
        r->averagedSamples = 1;
        report::OutputEffect effect;
        for (int l = 0; l < 4; ++l)
            effect.layers.push_back({.block = l, .relativeError = 0.05 * (l + 1), .cosine = 0.99, .ownError = 0.03});
        effect.kl = 0.0125;
        effect.agreement = 1;
        effect.rows = photo ? 1 : 12;
        effect.before = {{3, "cat", 0.9}};
        effect.after = {{3, "cat", 0.75}};
        r->effects.push_back(effect);
        effect.source = report::MapSource::Separate;
        effect.kl = 0.05;
        effect.after = {{4, "dog", 0.5}};
        r->effects.push_back(effect);
    }
    return r;
}

} // namespace tamis::sample
