// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The projections of one attention layer as matrices in double, whether the model fuses q, k and v or not, and the statistics of
// what they read.
#include "core/lowrank/method.h"
#include "core/tensor/matrix.h"

#include <cstdint>
#include <string>
#include <vector>

namespace tamis::lowrank {

struct Projection {
    std::string name;              ///< of the operator; of the fused one for its parts
    tensor::Matrix<double> weight; ///< [out, in]
    std::vector<float> bias;       ///< [out] or empty
};

struct AttentionParts {
    int layer = -1;
    bool fused = false; ///< query, key and value are rows of one operator, in this order
    Projection query, key, value, output;
    std::int64_t heads = 0, keyValueHeads = 0, headDim = 0, width = 0;
    bool normedScores = false; ///< a norm stands between the projections and the scores: they are not bilinear in the inputs
    std::int64_t groupOf(std::int64_t head) const noexcept { return head * keyValueHeads / heads; }
};

/// Throws Error{InvalidParameter} where the model has no such layer, or one of the operators is not dense any more.
AttentionParts attentionParts(const nn::Model& model, int layer);

/// The operator for a fused projection, or the three separate ones with their names: what Model::replaced() takes. A null one stays
/// dense (of a fused one: a dense part); nothing comes back for separate ones that stay.
std::vector<std::pair<std::string, nn::LinearPtr>> asOperators(const AttentionParts& parts, nn::LinearPtr query, nn::LinearPtr key, nn::LinearPtr value);

struct InputStatistics {
    tensor::Matrix<double> c;   ///< sum of x x^T, [n, n]; [n + 1, n + 1] with the constant row
    std::vector<double> mean;   ///< [n]
    std::uint64_t tokens = 0;
    std::vector<std::string> warnings;
};

/// `ridge`, relative to the mean of C's diagonal, is added to the diagonal of the features, not to the constant's.
/// `constantRow`: every input is followed by 1, so that a bias is one more column of the weight. Throws Error{InvalidParameter}
/// where the calibration set has no such site or one of other features, and what reading it throws.
InputStatistics inputStatistics(const io::CalibrationSet& calibration, const std::string& site, std::int64_t features, bool constantRow, double ridge);

/// [W, bias]: one more column.
tensor::Matrix<double> withBiasColumn(const Projection& projection);

} // namespace tamis::lowrank
