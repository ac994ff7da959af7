// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/attention_parts.h"

#include "core/base/error.h"
#include "core/linalg/whitening.h"

#include <algorithm>

namespace tamis::lowrank {
namespace {
using tensor::Matrix;

void requireDense(const nn::LinearSlot& slot)
{
    if (!slot || slot.op->kind() != "dense")
        throw Error(ErrorCode::InvalidParameter, "is not a dense operator, so that it cannot be compressed jointly", slot.name);
}

Projection rowsOf(const nn::LinearSlot& slot, std::int64_t begin, std::int64_t count)
{
    const Matrix<float> w = slot.op->dense();
    Projection part{slot.name, Matrix<double>(count, w.cols()), {}};
    std::copy_n(w.data() + begin * w.cols(), count * w.cols(), part.weight.data());
    if (const auto& bias = slot.op->bias(); !bias.empty())
        part.bias.assign(bias.begin() + begin, bias.begin() + begin + count);
    return part;
}

Projection whole(const nn::LinearSlot& slot)
{
    requireDense(slot);
    return rowsOf(slot, 0, slot.op->outFeatures());
}

nn::LinearPtr densePart(const Projection& part)
{
    Matrix<float> w(part.weight.rows(), part.weight.cols());
    for (std::size_t i = 0; i < w.size(); ++i)
        w.values()[i] = static_cast<float>(part.weight.values()[i]); // was read from floats: exact
    return nn::denseOp(w.view(), part.bias);
}
} // namespace

AttentionParts attentionParts(const nn::Model& model, int layer)
{
    const auto& blocks = model.blocks();
    if (layer < 0 || static_cast<std::size_t>(layer) >= blocks.size())
        throw Error(ErrorCode::InvalidParameter, "layer " + std::to_string(layer) + " was asked for, but the model has " + std::to_string(blocks.size()));
    const nn::Block& block = blocks[static_cast<std::size_t>(layer)];
    const nn::AttentionSpec& spec = block.spec.attention;
    AttentionParts parts;
    parts.layer = layer;
    parts.heads = spec.heads;
    parts.keyValueHeads = spec.keyValueHeads;
    parts.headDim = spec.headDim;
    parts.width = block.spec.width;
    parts.normedScores = block.queryNorm.present() || block.keyNorm.present();
    parts.fused = static_cast<bool>(block.qkv);
    const std::int64_t queries = spec.heads * spec.headDim, keys = spec.keyValueHeads * spec.headDim;
    if (parts.fused) {
        requireDense(block.qkv);
        parts.query = rowsOf(block.qkv, 0, queries);
        parts.key = rowsOf(block.qkv, queries, keys);
        parts.value = rowsOf(block.qkv, queries + keys, keys);
    } else {
        parts.query = whole(block.query);
        parts.key = whole(block.key);
        parts.value = whole(block.value);
    }
    parts.output = whole(block.output);
    return parts;
}

std::vector<std::pair<std::string, nn::LinearPtr>> asOperators(const AttentionParts& parts, nn::LinearPtr query, nn::LinearPtr key, nn::LinearPtr value)
{
    std::vector<std::pair<std::string, nn::LinearPtr>> all;
    if (!query && !key && !value)
        return all;
    if (!parts.fused) {
        if (query)
            all.emplace_back(parts.query.name, std::move(query));
        if (key)
            all.emplace_back(parts.key.name, std::move(key));
        if (value)
            all.emplace_back(parts.value.name, std::move(value));
        return all;
    }
    if (!query)
        query = densePart(parts.query);
    if (!key)
        key = densePart(parts.key);
    if (!value)
        value = densePart(parts.value);
    all.emplace_back(parts.query.name, nn::stackedOp({std::move(query), std::move(key), std::move(value)}));
    return all;
}

InputStatistics inputStatistics(const io::CalibrationSet& calibration, const std::string& site, std::int64_t features, bool constantRow, double ridge)
{
    const auto found = calibration.features(site);
    if (!found || *found != features)
        throw Error(ErrorCode::InvalidParameter,
                    (found ? "has " + std::to_string(*found) + " features at " + site : "has no site " + site) + ", expected " + std::to_string(features) + " features",
                    calibration.path().string());
    io::CalibrationSite read = calibration.read(site);
    InputStatistics statistics;
    statistics.tokens = read.count;
    if (static_cast<std::int64_t>(read.count) < features && ridge == 0)
        statistics.warnings.push_back(site + ": " + std::to_string(read.count) + " calibration tokens for " + std::to_string(features) +
                                      " features: directions that no token shows cost nothing and are dropped. A ridge of 1e-4 to 1e-2 is recommended.");
    const double added = ridge * linalg::meanDiagonal(read.gram);
    const Matrix<double> c = linalg::withRidge(std::move(read.gram), added);
    statistics.mean = std::move(read.mean);
    if (!constantRow) {
        statistics.c = c;
        return statistics;
    }
    const auto tokens = static_cast<double>(statistics.tokens);
    statistics.c = Matrix<double>(features + 1, features + 1);
    for (std::int64_t i = 0; i < features; ++i) {
        std::copy_n(c.data() + i * features, features, &statistics.c(i, 0));
        statistics.c(i, features) = statistics.c(features, i) = tokens * statistics.mean[static_cast<std::size_t>(i)];
    }
    statistics.c(features, features) = tokens;
    return statistics;
}

Matrix<double> withBiasColumn(const Projection& projection)
{
    const Matrix<double>& w = projection.weight;
    Matrix<double> wide(w.rows(), w.cols() + 1);
    for (std::int64_t i = 0; i < w.rows(); ++i) {
        std::copy_n(w.data() + i * w.cols(), w.cols(), &wide(i, 0));
        wide(i, w.cols()) = projection.bias.empty() ? 0.0 : static_cast<double>(projection.bias[static_cast<std::size_t>(i)]);
    }
    return wide;
}

} // namespace tamis::lowrank
