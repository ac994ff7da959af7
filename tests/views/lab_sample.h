// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A small vision transformer as the lab's views see it: 25 matrices with spectra, a budget and a workspace. Values follow
// closed forms, so that tests can say what a cell must show.
#include "core/report/budget_report.h"
#include "core/report/landscape.h"
#include "core/report/spectrum_report.h"
#include "core/report/workspace_outline.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

namespace tamis::sample {

constexpr int kLayers = 6;

/// s_i = 10 exp(-decay i / p), loss[r] = sum of s_i^2 beyond r.
inline report::MatrixSpectrum matrix(const std::string& name, int layer, const std::string& role, std::int64_t rows, std::int64_t cols,
                                     double decay)
{
    report::MatrixSpectrum m{.name = name, .layer = layer, .role = role, .dtype = "F32", .rows = rows, .cols = cols, .compressible = true};
    const auto p = static_cast<std::size_t>(std::min(rows, cols));
    double sum = 0, squares = 0, entropy = 0;
    for (std::size_t i = 0; i < p; ++i) {
        m.singularValues.push_back(10 * std::exp(-decay * static_cast<double>(i) / static_cast<double>(p)));
        sum += m.singularValues.back();
        squares += m.singularValues.back() * m.singularValues.back();
    }
    for (const double s : m.singularValues)
        entropy -= s / sum * std::log(s / sum);
    m.loss.assign(p + 1, 0);
    for (std::size_t r = p; r-- > 0;)
        m.loss[r] = m.loss[r + 1] + m.singularValues[r] * m.singularValues[r];
    m.heldOutLoss = m.loss;
    for (std::size_t r = 1; r <= p; ++r)
        m.heldOutLoss[r] *= 1.15;
    m.baselineLoss = m.loss;
    for (std::size_t r = 1; r < p; ++r)
        m.baselineLoss[r] = std::pow(m.loss[r] / m.loss[0], 0.8) * m.loss[0];
    m.tokens = 33'408;
    m.heldOutTokens = 256;
    m.stableRank = squares / (m.singularValues[0] * m.singularValues[0]);
    m.effectiveRank = std::exp(entropy);
    m.nuclearNorm = sum;
    m.condition = m.singularValues.front() / m.singularValues.back();
    m.tailExponent = 1.7;
    m.calibrationCondition = 4.2e6;
    m.calibrationRank = cols;
    m.ridge = 3.1e-4;
    return m;
}

/// patch, then qkv, o, up, down of six blocks; the patch embedding has NaN weights and no spectrum.
inline std::shared_ptr<report::SpectrumReport> spectra(double decay = 6)
{
    auto all = std::make_shared<report::SpectrumReport>();
    all->method = "spectrum.whitened";
    report::MatrixSpectrum patch{.name = "patch_embed.proj", .layer = -1, .role = "patch", .dtype = "F32", .rows = 128, .cols = 48,
                                 .compressible = true};
    patch.nanCount = 2;
    patch.stableRank = patch.effectiveRank = patch.condition = std::numeric_limits<double>::quiet_NaN();
    patch.warnings = {"The matrix holds values that are not finite; it stays dense."};
    all->matrices.push_back(patch);
    for (int layer = 0; layer < kLayers; ++layer) {
        const std::string block = "blocks." + std::to_string(layer) + ".";
        const double d = decay * (1 + 0.12 * layer);
        all->matrices.push_back(matrix(block + "attn.qkv", layer, "qkv", 384, 128, d));
        all->matrices.push_back(matrix(block + "attn.proj", layer, "o", 128, 128, 1.3 * d));
        all->matrices.push_back(matrix(block + "mlp.fc1", layer, "up", 512, 128, 0.8 * d));
        all->matrices.push_back(matrix(block + "mlp.fc2", layer, "down", 128, 512, 0.6 * d));
    }
    return all;
}

inline report::Cost costOf(std::int64_t parameters) { return {.parameters = static_cast<std::uint64_t>(parameters), .bytes = static_cast<std::uint64_t>(4 * parameters), .macs = static_cast<std::uint64_t>(parameters)}; }

/// Every compressible matrix at floor(keep m n / (m + n)).
inline std::shared_ptr<report::BudgetReport> budget(const report::SpectrumReport& spectra, double keep)
{
    auto all = std::make_shared<report::BudgetReport>();
    all->keep = keep;
    all->allocation = "uniform";
    all->accounting = "factors";
    std::int64_t before = 0, after = 0;
    double relative = 0;
    int counted = 0;
    for (const auto& m : spectra.matrices) {
        report::MatrixBudget b{.name = m.name};
        const std::int64_t dense = m.rows * m.cols, p = std::min(m.rows, m.cols);
        b.rank = p;
        b.cost = costOf(dense);
        if (!m.singularValues.empty() && keep < 1) {
            b.dense = false;
            b.rank = static_cast<std::int64_t>(keep * static_cast<double>(dense) / static_cast<double>(m.rows + m.cols));
            b.cost = costOf(b.rank * (m.rows + m.cols));
            b.keep = static_cast<double>(b.cost.parameters) / static_cast<double>(dense);
            b.loss = m.loss[static_cast<std::size_t>(b.rank)];
            b.relativeLoss = b.loss / m.loss[0];
            b.heldOutRelativeLoss = m.heldOutLoss[static_cast<std::size_t>(b.rank)] / m.heldOutLoss[0];
            relative += b.relativeLoss;
            ++counted;
        }
        b.sameKeep = {report::RankChoice{"factors", b.rank, b.cost}, report::RankChoice{"block-identity", b.rank + b.rank / 3, b.cost},
                      report::RankChoice{"remapped", static_cast<std::int64_t>(keep * static_cast<double>(p)), b.cost}};
        before += dense;
        after += static_cast<std::int64_t>(b.cost.parameters);
        all->predictedLoss += b.loss;
        all->matrices.push_back(b);
    }
    all->achievedKeep = static_cast<double>(after) / static_cast<double>(before);
    all->before = costOf(before);
    all->after = costOf(after);
    all->before.latencyMs = 1.92;
    all->after.latencyMs = 1.92 * keep + 0.1;
    all->predictedRelativeLoss = counted > 0 ? relative / counted : 0;
    all->sameKeepTotals = {report::RankChoice{"factors", 0, all->after}, report::RankChoice{"block-identity", 0, all->after},
                           report::RankChoice{"remapped", 0, all->after}};
    return all;
}

inline report::WorkspaceOutline outline(const report::SpectrumReport& spectra)
{
    report::WorkspaceOutline all{.modelPath = "/models/vit20", .modelFormat = "safetensors", .modelFamily = "timm-vit", .layers = kLayers};
    for (const auto& m : spectra.matrices) {
        all.matrices.push_back({.name = m.name, .role = m.role, .dtype = m.dtype, .layer = m.layer, .rows = m.rows, .cols = m.cols,
                                .bytes = static_cast<std::uint64_t>(4 * m.rows * m.cols), .calibrated = m.tokens > 0});
        all.parameters += static_cast<std::uint64_t>(m.rows * m.cols);
        if (m.tokens > 0)
            all.sites.push_back({.name = m.name, .features = m.cols});
    }
    all.bytes = 4 * all.parameters;
    all.calibrationPath = "/models/vit20/calibration.h5";
    all.calibrationInputs = "512 training pictures";
    all.calibrationTokens = 33'408;
    return all;
}

} // namespace tamis::sample
