// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/mips_reduction.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

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

MipsRows mipsRows(const Dictionary& dictionary, const Parameters& complete)
{
    return mipsRows(dictionary, reductionNamed(complete.text("reduction")), complete.boolean("bias"));
}

ParameterSchema searchSchema(ParameterSpec index, std::vector<ParameterSpec> ofIndexes)
{
    std::vector<ParameterSpec> specs{std::move(index),
                                     {.name = "reduction", .title = "Reduction", .type = ParameterType::Choice, .defaultValue = std::string("euclidean"),
                                      .help = "What the search is for: large inner products as they are, near points, or small angles", .choices = {"inner-product", "euclidean", "cosine"}},
                                     {.name = "bias", .title = "Bias in the search", .type = ParameterType::Boolean, .defaultValue = true,
                                      .help = "false: candidates by w x alone, as an index of the rows would give them"},
                                     countParameter("candidates", "Candidates", 256, 1, 4'194'304, "Latents a token that are scored exactly")};
    std::ranges::move(ofIndexes, std::back_inserter(specs));
    return ParameterSchema(std::move(specs));
}

ParameterSpec countParameter(std::string name, std::string title, std::int64_t byDefault, double least, double most, std::string help)
{
    return {.name = std::move(name), .title = std::move(title), .type = ParameterType::Integer, .defaultValue = byDefault, .minimum = least, .maximum = most, .step = 1, .logarithmic = true,
            .help = std::move(help)};
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
