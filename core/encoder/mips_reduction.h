// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Biased inner products as searches that indexes know: z_i = w_i x + b_i = [w_i, b_i] . [x, 1], and that as a nearest neighbour.
#include "core/base/parameter_schema.h"
#include "core/encoder/dictionary.h"
#include "core/tensor/matrix.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tamis::encoder {

enum class MipsReduction {
    InnerProduct, ///< [w, b] and [x, 1] as they are
    Euclidean,    ///< [w, b, sqrt(phi^2 - |w|^2 - b^2)] and [x, 1, 0] with phi the longest [w, b]: the nearest has the largest z
    Cosine        ///< [w, b] / phi with sqrt(1 - ...) appended, and [x, 1, 0] of length 1 (Neyshabur and Srebro 2015)
};

/// Rows and queries of the search. Without `withBias` b is left out: another problem, whose answer is another set.
struct MipsRows {
    MipsReduction reduction = MipsReduction::InnerProduct;
    bool withBias = true;
    tensor::Matrix<float> rows; ///< [M, D + 1] or [M, D + 2]

    std::int64_t dimensions() const noexcept { return rows.cols(); }
    /// [tokens, dimensions].
    tensor::Matrix<float> queries(tensor::MatrixView<const float> prepared) const;
};

/// "inner-product", "euclidean" or "cosine".
MipsReduction reductionNamed(std::string_view name);

MipsRows mipsRows(const Dictionary& dictionary, MipsReduction reduction, bool withBias);
/// By reduction and bias of a searchSchema().
MipsRows mipsRows(const Dictionary& dictionary, const Parameters& complete);

/// index: which one, described by `index`; reduction, bias and candidates; then what the indexes take.
ParameterSchema searchSchema(ParameterSpec index, std::vector<ParameterSpec> ofIndexes);
/// A whole number, chosen on a logarithmic scale.
ParameterSpec countParameter(std::string name, std::string title, std::int64_t byDefault, double least, double most, std::string help);

} // namespace tamis::encoder
