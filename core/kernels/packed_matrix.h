// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// y = x W^T with W laid out once for this machine's vector registers. The hot loop of every forward pass.
#include "core/kernels/activation.h"
#include "core/tensor/matrix.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace tamis::kernels {

using ConstRows = tensor::MatrixView<const float>; ///< [tokens, features], row-major, any stride
using Rows = tensor::MatrixView<float>;

/// A weight matrix [out, in] in panels of 2 vector widths of outputs, zero-padded: about its own size in memory.
class PackedMatrix {
public:
    PackedMatrix() = default;
    explicit PackedMatrix(ConstRows weight); ///< copies; `weight` is [out, in]
    std::int64_t rows() const noexcept { return m_rows; } ///< outputs
    std::int64_t cols() const noexcept { return m_cols; } ///< inputs
    const float* panel(std::int64_t index) const noexcept;
    tensor::Matrix<float> unpack() const; ///< [out, in], the values given

private:
    std::int64_t m_rows = 0, m_cols = 0;
    std::shared_ptr<float[]> m_values;
};

/// What is done to a product while it is still in cache: y = base + scale * (activation(x W^T + bias) * factor).
struct Epilogue {
    const float* bias = nullptr;  ///< [out] or null
    Activation activation = Activation::None;
    ConstRows factor;             ///< [tokens, out] multiplied in (gated MLPs), or empty (data == nullptr)
    const float* scale = nullptr; ///< [out] (LayerScale) or null
    ConstRows base;               ///< [tokens, out] added (the residual), or empty; may be y itself
};

/// x [tokens, in], y [tokens, out]; y must not overlap x or factor. `parallel`: spread over the threads of the current
/// arena (fixed tiles: the result does not depend on their number). Throws Error{InvalidParameter} when shapes disagree.
void multiply(ConstRows x, const PackedMatrix& weight, const Epilogue& epilogue, Rows y, bool parallel);

/// The instruction set the kernels run on, found at run time: "avx512" or "avx2".
std::string_view instructionSet() noexcept;
/// Tests and benches: forces "avx2" (true) where "avx512" would run. Not while kernels run; packed matrices stay valid.
void forcePortableKernels(bool portable) noexcept;

} // namespace tamis::kernels
