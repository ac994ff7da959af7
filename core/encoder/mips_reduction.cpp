// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/mips_reduction.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace tamis::encoder {

MipsReduction reductionNamed(std::string_view name)
{
    return name == "euclidean" ? MipsReduction::Euclidean : name == "cosine" ? MipsReduction::Cosine : MipsReduction::InnerProduct;
}

MipsRows mipsRows(const Dictionary& dictionary, MipsReduction reduction, bool withBias)
{
    const std::int64_t width = dictionary.width(), latents = dictionary.latents();
    std::vector<double> squares(static_cast<std::size_t>(latents));
    double longest = 0;
    for (std::size_t i = 0; i < squares.size(); ++i) {
        const double bias = withBias ? static_cast<double>(dictionary.bias()[i]) : 0;
        squares[i] = dictionary.rowNorms()[i] * dictionary.rowNorms()[i] + bias * bias;
        longest = std::max(longest, squares[i]);
    }
    const bool completed = reduction != MipsReduction::InnerProduct;
    const double scale = reduction == MipsReduction::Cosine && longest > 0 ? 1 / std::sqrt(longest) : 1;
    MipsRows result{reduction, withBias, tensor::Matrix<float>(latents, width + (completed ? 2 : 1))};
    for (std::int64_t i = 0; i < latents; ++i) {
        const auto at = static_cast<std::size_t>(i);
        for (std::int64_t j = 0; j < width; ++j)
            result.rows(i, j) = static_cast<float>(static_cast<double>(dictionary.rows()(i, j)) * scale);
        result.rows(i, width) = withBias ? static_cast<float>(static_cast<double>(dictionary.bias()[at]) * scale) : 0.0F;
        if (completed)
            result.rows(i, width + 1) = static_cast<float>(std::sqrt(std::max(0.0, longest - squares[at])) * scale);
    }
    return result;
}

tensor::Matrix<float> MipsRows::queries(tensor::MatrixView<const float> prepared) const
{
    tensor::Matrix<float> result(prepared.rows, dimensions());
    for (std::int64_t t = 0; t < prepared.rows; ++t) {
        double squares = 1;
        for (const float value : prepared.row(t))
            squares += static_cast<double>(value) * static_cast<double>(value);
        const double scale = reduction == MipsReduction::Cosine ? 1 / std::sqrt(squares) : 1;
        for (std::int64_t j = 0; j < prepared.cols; ++j)
            result(t, j) = static_cast<float>(static_cast<double>(prepared(t, j)) * scale);
        result(t, prepared.cols) = static_cast<float>(scale);
    }
    return result;
}

} // namespace tamis::encoder
