// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Reports of the attention lab by closed forms: a photo of 4 x 4 patches behind a class token, or a causal text of 12 words read in blocks of 4.
#include "core/report/attention_report.h"
#include "tests/views/attention_sample.h"

#include <memory>

namespace tamis::sample {

/// 4 layers of 3 heads. Head h of layer l has the map error e = 0.01 (3 l + h + 1), the output error 2 e; entropy l + 1, distance h + 1.
inline std::shared_ptr<report::AttentionReport> attentionLab(bool photo, int layer = 1, std::int64_t head = 2, bool complete = true)
{
    auto r = std::make_shared<report::AttentionReport>();
    r->model = "sample";
    r->samples = "2 samples";
    r->layers = 4;
    r->headsOfLayer = {3, 3, 3, 3};
    r->averagedSamples = 2;
    auto& view = r->view;
    view.sample = photo ? "cat.jpg" : "sequence 0";
    view.layer = layer;
    view.head = head;
    view.causal = !photo;
    view.tokens = photo ? 17 : 12;
    if (photo) {
        view.prefixTokens = 1;
        view.gridHeight = view.gridWidth = 4;
    } else {
        for (int i = 0; i < 12; ++i)
            view.tokenLabels.push_back("word" + std::to_string(i));
    }
    view.exact = attentionRows(static_cast<int>(view.tokens), view.causal, 2.0, 0);
    view.approximate = attentionRows(static_cast<int>(view.tokens), view.causal, 1.7, 0.1);
    view.errors = {.map = 0.125, .logit = report::kNotMeasured, .output = 0.25};
    if (!photo) {
        auto& blocks = view.blocks;
        blocks.queries = 12;
        blocks.blocks = 3;
        blocks.blockTokens = 4;
        for (int q = 0; q < 12; ++q) {
            for (int b = 0; b < 3; ++b) { // the first block and the query's own
                blocks.selected.push_back(b == 0 || b == q / 4);
                blocks.scores.push_back(0.1F * static_cast<float>(b + q));
            }
            blocks.tokensRead.push_back(q < 4 ? q + 1 : 4 + q % 4 + 1);
            for (const float gate : {0.2F, 0.5F, 0.3F})
                blocks.gates.push_back(gate);
        }
    }
    r->trivial = {{"attention.zero", "Zero", 1, 1}, {"attention.mean-value", "Mean of the values", 0.5, 0.75}};
    r->complete = complete;
    if (complete) {
        for (int l = 0; l < 4; ++l)
            for (std::int64_t h = 0; h < 3; ++h) {
                report::HeadComparison one;
                one.layer = l;
                one.head = h;
                one.method = "attention.nystrom";
                one.map = 0.01 * static_cast<double>(3 * l + h + 1);
                one.output = 2 * one.map;
                one.cosine = 1 - one.map;
                one.traits = {.entropy = l + 1.0, .evenness = 0.5, .distance = static_cast<double>(h + 1), .prefixMass = 0.25, .effectiveRank = 3, .tokens = 17};
                if (l == 0) {
                    one.suited = "attention.band";
                    one.suitedSettings = "reach 4";
                    one.suitedOutput = 0.001;
                }
                r->heads.push_back(one);
            }
        r->macs = 900'000;
        r->wholeMacs = 1'000'000;
        r->attentionMacs = 100'000;
        r->wholeAttentionMacs = 200'000;
        r->liveBytes = 1 << 16;
        r->wholeLiveBytes = 1 << 20;
        r->effect.layers = {{.block = 3, .relativeError = 0.05, .cosine = 0.99, .ownError = 0.03}};
        r->effect.kl = 0.0125;
        r->effect.rows = photo ? 1 : 12;
        r->effect.agreement = 0.75;
        r->effect.before = {{3, "cat", 0.9}, {4, "dog", 0.05}};
        r->effect.after = {{4, "dog", 0.5}, {3, "cat", 0.4}};
    }
    return r;
}

/// Exact, two settings of one method, the same trained, a failed one, two trivial ones (one without a latency).
inline std::shared_ptr<report::AttentionComparison> attentionComparison()
{
    auto made = std::make_shared<report::AttentionComparison>();
    made->model = "sample";
    made->samples = "2 samples";
    made->planned = 7;
    const auto add = [&](const char* method, const char* title, const char* settings, double output, std::uint64_t macs, double ms) {
        report::AttentionPoint point;
        point.method = method;
        point.title = title;
        point.settings = settings;
        point.outputError = output;
        point.mapError = output / 2;
        point.macs = macs;
        point.liveBytes = macs / 2;
        point.latencyMs = ms;
        made->points.push_back(point);
        return &made->points.back();
    };
    add("", "Exact", "", 0, 1000, 4)->agreement = 1;
    auto* few = add("attention.nystrom", "Nyström", "landmarks 8", 0.4, 300, 2);
    few->parameters.set("landmarks", std::int64_t{8});
    few->agreement = 0.8;
    auto* many = add("attention.nystrom", "Nyström", "landmarks 32", 0.1, 700, 3);
    many->parameters.set("landmarks", std::int64_t{32});
    many->agreement = 0.95;
    add("attention.nystrom", "Nyström", "landmarks 8", 0.2, 300, 2)->tuned = true;
    add("attention.performer", "Performer", "features 8", 0.9, 500, 3)->failure = "too few features";
    add("attention.zero", "Zero", "", 1, 0, report::kNotMeasured)->baseline = true;
    add("attention.mean-value", "Mean of the values", "", 0.75, 20, 1)->baseline = true;
    return made;
}

/// Exact attention is quadratic, 1 ms at 1024 tokens; the method linear and faster from 512 on, predicted from 256.
inline std::shared_ptr<std::vector<report::AttentionCostCurve>> attentionCurves()
{
    auto made = std::make_shared<std::vector<report::AttentionCostCurve>>(2);
    auto& exact = (*made)[0];
    auto& method = (*made)[1];
    exact.title = "Exact";
    method.method = "attention.nystrom";
    method.title = "Nyström";
    method.settings = "landmarks 32";
    method.measuredCrossover = 512;
    method.predictedCrossover = 256;
    for (std::int64_t n = 64; n <= 16384; n *= 2) {
        const auto d = static_cast<double>(n);
        report::AttentionCostRow row{.tokens = n, .ms = d * d / 1048576, .predictedMs = d * d / 2097152, .macs = static_cast<std::uint64_t>(n * n), .liveBytes = static_cast<std::uint64_t>(4 * n * n), .readBytes = 0, .failure = {}};
        if (n == 16384) {
            row.ms = report::kNotMeasured;
            row.failure = "needs 4 GiB";
        }
        exact.rows.push_back(row);
        method.rows.push_back({.tokens = n, .ms = d / 2048, .predictedMs = d / 8192, .macs = static_cast<std::uint64_t>(32 * n), .liveBytes = static_cast<std::uint64_t>(128 * n), .readBytes = 0, .failure = {}});
    }
    return made;
}

} // namespace tamis::sample
