// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Reads the tensors that an architecture asks for, each checked against the shape that the config gives it.
#include "core/nn/model.h"

#include <string>
#include <vector>

namespace tamis::nn {

/// All members throw Error{MalformedFile} naming the tensor that is missing or of another shape, and what reading throws.
class TensorBinding {
public:
    TensorBinding(const TensorSource& source, bool transposed) : m_source(source), m_transposed(transposed) {}
    bool has(const std::string& tensor) const { return !tensor.empty() && m_source.has(tensor); }

    std::vector<float> vector(const std::string& tensor, std::int64_t count) const; ///< of `count` numbers, in any shape
    /// [rows, cols]; leading dimensions of 1 are allowed ([1, 257, 128]).
    tensor::Matrix<float> table(const std::string& tensor, std::int64_t rows, std::int64_t cols) const;
    Norm norm(const std::string& name, const NormSpec& spec, std::int64_t width) const; ///< .weight/.bias or .gamma/.beta
    /// `name` in any stored form: dense, factors, block identity, remapped, tiled. A weight may have more dimensions than two
    /// (patches). `bias`: an operator's .bias is read where there is one.
    LinearSlot linear(const std::string& name, io::Role role, int layer, std::int64_t out, std::int64_t in) const;

private:
    [[noreturn]] void refuseShape(const std::string& tensor, const std::vector<std::int64_t>& found, const std::string& expected) const;
    std::vector<float> numbers(const std::string& tensor, const std::vector<std::int64_t>& shape) const; ///< as many as the shape says
    tensor::Matrix<float> matrix(const std::string& tensor, std::int64_t rows, std::int64_t cols) const;
    std::vector<std::int64_t> permutation(const std::string& tensor, std::int64_t count) const;
    LinearPtr factors(const std::string& name, std::int64_t out, std::int64_t in, std::vector<float> bias) const;
    LinearPtr remapped(const std::string& name, std::int64_t out, std::int64_t in, std::vector<float> bias) const;
    LinearPtr selected(const std::string& name, std::int64_t out, std::int64_t in, std::vector<float> bias) const;
    LinearPtr tiled(const std::string& name, std::int64_t out, std::int64_t in, std::vector<float> bias) const;
    LinearPtr stacked(const std::string& name, std::int64_t out, std::int64_t in) const;
    std::vector<tensor::Matrix<float>> stack(const std::string& tensor, std::int64_t& tiles) const;

    const TensorSource& m_source;
    bool m_transposed;
};

} // namespace tamis::nn
