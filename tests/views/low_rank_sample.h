// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A comparison of two methods and two baselines, with numbers that a test can follow.
#include "core/report/lowrank_report.h"

#include <memory>

namespace tamis::sample {

inline report::ComparisonRow comparisonRow(const std::string& label, double keep, double perplexity)
{
    report::ComparisonRow row;
    row.label = label;
    row.method = "lowrank." + label;
    row.keep = keep;
    row.settings = "allocation uniform, factors, ridge 0.01";
    row.cost.parameters = static_cast<std::uint64_t>(1'000'000 * (0.2 + 0.8 * keep));
    row.cost.bytes = 4 * row.cost.parameters;
    row.cost.macs = row.cost.parameters / 2;
    row.latencyMs = 10 * (0.5 + keep);
    row.relativeLoss = (1 - keep) / 10;
    row.heldOutRelativeLoss = (1 - keep) / 8;
    row.quality.perplexity = {perplexity, 0.5};
    row.quality.samples = 12;
    row.quality.tokens = 6000;
    row.fidelity.agreement = {0.5 + keep / 2, 0.01};
    row.fidelity.kl = {(1 - keep), 0.02};
    row.seconds = 0.4;
    for (int block = 0; block < 6; ++block)
        row.layers.push_back({block, 0.01 * (block + 1) / keep, 1 - 0.001 * block, 0.01});
    return row;
}

/// Rows: dense, 8 bit, good at 0.8 and 0.6, plain at 0.8 and 0.6 (failed). Of 6.
inline std::shared_ptr<report::MethodComparison> comparison(std::size_t rows = 6)
{
    auto made = std::make_shared<report::MethodComparison>();
    made->model = "/models/tiny";
    made->calibration = "a text";
    made->samples = "another text";
    made->qualityName = "perplexity";
    made->planned = 6;
    made->seconds = 2;
    auto dense = comparisonRow("dense", 1, 20);
    dense.method = "dense";
    dense.baseline = true;
    dense.settings.clear();
    dense.fidelity = {};
    dense.layers.clear();
    dense.relativeLoss = dense.heldOutRelativeLoss = 0;
    auto rounded = comparisonRow("8-bit round to nearest", 1, 20.1);
    rounded.method = "round-to-nearest";
    rounded.baseline = true;
    rounded.cost.bytes = 1'000'000;
    auto failed = comparisonRow("plain", 0.6, 0);
    failed.quality = {};
    failed.fidelity = {};
    failed.layers.clear();
    failed.failure = "blocks.0.q: the covariance is singular";
    made->rows = {dense, rounded, comparisonRow("good", 0.8, 21), comparisonRow("good", 0.6, 25), comparisonRow("plain", 0.8, 2000), failed};
    made->rows.resize(rows);
    return made;
}

inline std::shared_ptr<report::LowRankReport> lowRankReport(int matrices = 4)
{
    auto made = std::make_shared<report::LowRankReport>();
    made->method = "lowrank.good";
    made->keep = 0.6;
    made->achievedKeep = 0.597;
    made->allocation = "uniform";
    made->accounting = "block-identity";
    made->seconds = 0.12;
    for (int i = 0; i < matrices; ++i) {
        report::LowRankMatrix m;
        m.name = "blocks." + std::to_string(i / 2) + (i % 2 ? ".fc1" : ".qkv");
        m.role = i % 2 ? "up" : "qkv";
        m.layer = i / 2;
        m.rows = i % 2 ? 512 : 384;
        m.cols = 128;
        m.layout = "block-identity";
        m.rank = 50 + i;
        m.keep = 0.6;
        m.cost.parameters = 1000;
        m.denseCost.parameters = 2000;
        m.energy = 100;
        m.loss = 1 + i;
        m.minimumLoss = 1 + i;
        m.heldOutEnergy = 50;
        m.heldOutLoss = 1 + i;
        m.condition = 40 + i;
        m.maxCoefficient = 1.5;
        made->matrices.push_back(m);
    }
    if (matrices > 1)
        made->matrices[1].warnings = {"the ridge was raised to 1e-4"};
    made->planes = {{0, "query", {9, 4, 1, 0.5}, 2}, {0, "key", {8, 3, 2, 0.1}, 3}, {1, "query", {7, 4, 1, 0.5}, 2}};
    made->figures = {{"beta", "Criterion against beta", "beta", "criterion", false, false, {{.name = "layer 0", .points = {{0, 1}, {0.5, 0.4}, {1, 0.8}}}}}};
    made->scalars = {{"beta of layer 0", 0.5}};
    made->warnings = {"q/k norm: separate factors were used"};
    return made;
}

} // namespace tamis::sample
