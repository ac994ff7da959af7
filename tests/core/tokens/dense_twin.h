// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A transformer with rotary or relative positions in double, from the formulas of docs/models.md and the model's own matrices, over any list of patches: what
// a model would say had the others never been there.
#include "core/nn/model.h"

#include <cmath>
#include <map>
#include <numbers>
#include <string>
#include <vector>

namespace tamis::test {

class DenseTwin {
public:
    using Rows = std::vector<std::vector<double>>;
    /// `tables`: BEiT's bias tables by block, [(2 side - 1)^2 + 3, heads]; empty: DINOv3's angles.
    DenseTwin(const nn::Model& model, std::vector<tensor::Matrix<float>> tables) : m_model(model), m_tables(std::move(tables)) {}

    /// The class token behind all blocks and the last norm. `x` [prefix + patches.size(), width]: embedded; `patches`: places in the grid, row by row.
    std::vector<double> run(Rows x, const std::vector<std::int64_t>& patches) const
    {
        for (std::size_t block = 0; block < m_model.blocks().size(); ++block)
            x = through(block, std::move(x), patches);
        return normed(m_model.finalNorm(), x[0]);
    }

private:
    static std::vector<double> normed(const nn::Norm& norm, const std::vector<double>& x)
    {
        double mean = 0, variance = 0;
        for (const double v : x)
            mean += v / static_cast<double>(x.size());
        for (const double v : x)
            variance += (v - mean) * (v - mean) / static_cast<double>(x.size());
        std::vector<double> y;
        for (std::size_t i = 0; i < x.size(); ++i)
            y.push_back((x[i] - mean) / std::sqrt(variance + static_cast<double>(norm.spec.epsilon)) * static_cast<double>(norm.weight[i]) + static_cast<double>(norm.bias[i]));
        return y;
    }
    std::vector<double> times(const nn::LinearSlot& slot, const std::vector<double>& x) const
    {
        const tensor::Matrix<float> w = slot.op->dense();
        std::vector<double> y;
        for (std::int64_t i = 0; i < w.rows(); ++i) {
            double sum = slot.op->bias().empty() ? 0 : static_cast<double>(slot.op->bias()[static_cast<std::size_t>(i)]);
            for (std::int64_t j = 0; j < w.cols(); ++j)
                sum += static_cast<double>(w(i, j)) * x[static_cast<std::size_t>(j)];
            y.push_back(sum);
        }
        return y;
    }
    void turn(const nn::AttentionSpec& at, std::vector<double>& row, std::int64_t patch) const
    {
        const nn::PatchSpec& p = m_model.spec().patch;
        const double place[] = {(2.0 * static_cast<double>(patch / p.gridWidth) + 1) / static_cast<double>(p.gridHeight) - 1,
                                (2.0 * static_cast<double>(patch % p.gridWidth) + 1) / static_cast<double>(p.gridWidth) - 1};
        const std::int64_t half = at.headDim / 2, quarter = at.headDim / 4;
        for (std::int64_t head = 0; head < at.heads; ++head)
            for (std::int64_t i = 0; i < half; ++i) {
                const double angle = 2 * std::numbers::pi * place[i / quarter] * std::pow(at.rope.theta, -4.0 * static_cast<double>(i % quarter) / static_cast<double>(at.headDim));
                double &a = row[static_cast<std::size_t>(head * at.headDim + i)], &b = row[static_cast<std::size_t>(head * at.headDim + i + half)];
                const double turned = a * std::cos(angle) - b * std::sin(angle);
                b = b * std::cos(angle) + a * std::sin(angle);
                a = turned;
            }
    }
    double bias(std::size_t block, std::int64_t head, std::int64_t query, std::int64_t key) const ///< -1: the class token
    {
        const nn::PatchSpec& p = m_model.spec().patch;
        const tensor::Matrix<float>& table = m_tables[block];
        if (query < 0 || key < 0)
            return static_cast<double>(table(table.rows() - (query == key ? 1 : query < 0 ? 3 : 2), head));
        const std::int64_t down = query / p.gridWidth - key / p.gridWidth, across = query % p.gridWidth - key % p.gridWidth;
        return static_cast<double>(table((down + p.gridHeight - 1) * (2 * p.gridWidth - 1) + across + p.gridWidth - 1, head));
    }
    Rows through(std::size_t index, Rows x, const std::vector<std::int64_t>& patches) const
    {
        const nn::Block& b = m_model.blocks()[index];
        const nn::AttentionSpec& at = b.spec.attention;
        const std::size_t prefix = x.size() - patches.size();
        Rows q, k, v;
        for (std::size_t t = 0; t < x.size(); ++t) {
            const std::vector<double> y = normed(b.attentionNorm, x[t]);
            q.push_back(times(b.query, y));
            k.push_back(times(b.key, y));
            v.push_back(times(b.value, y));
            if (m_tables.empty() && t >= prefix) {
                turn(at, q.back(), patches[t - prefix]);
                turn(at, k.back(), patches[t - prefix]);
            }
        }
        const auto placeOf = [&](std::size_t t) { return t < prefix ? -1 : patches[t - prefix]; };
        for (std::size_t t = 0; t < x.size(); ++t) {
            std::vector<double> mixed(static_cast<std::size_t>(at.heads * at.headDim));
            for (std::int64_t head = 0; head < at.heads; ++head) {
                const auto first = static_cast<std::size_t>(head * at.headDim), last = first + static_cast<std::size_t>(at.headDim);
                std::vector<double> weights;
                double sum = 0;
                for (std::size_t s = 0; s < x.size(); ++s) {
                    double score = 0;
                    for (std::size_t d = first; d < last; ++d)
                        score += q[t][d] * k[s][d] / std::sqrt(static_cast<double>(at.headDim));
                    weights.push_back(std::exp(score + (m_tables.empty() ? 0 : bias(index, head, placeOf(t), placeOf(s)))));
                    sum += weights.back();
                }
                for (std::size_t s = 0; s < x.size(); ++s)
                    for (std::size_t d = first; d < last; ++d)
                        mixed[d] += weights[s] / sum * v[s][d];
            }
            add(x[t], times(b.output, mixed), b.attentionScale);
        }
        for (std::vector<double>& row : x) {
            std::vector<double> hidden = times(b.up, normed(b.mlpNorm, row));
            for (double& h : hidden)
                h *= 0.5 * (1 + std::erf(h / std::numbers::sqrt2));
            add(row, times(b.down, hidden), b.mlpScale);
        }
        return x;
    }
    static void add(std::vector<double>& x, const std::vector<double>& y, const std::vector<float>& scale)
    {
        for (std::size_t i = 0; i < x.size(); ++i)
            x[i] += y[i] * (scale.empty() ? 1 : static_cast<double>(scale[i]));
    }
    const nn::Model& m_model;
    std::vector<tensor::Matrix<float>> m_tables;
};

} // namespace tamis::test
