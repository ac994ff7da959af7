// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The replaceable linear operator y = x W^T + b and its cheaper forms. Immutable; safe to share between threads.
#include "core/kernels/packed_matrix.h"
#include "core/nn/scratch.h"
#include "core/tensor/dtype.h"
#include "core/tensor/matrix.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tamis::nn {

struct OperatorCost {
    std::uint64_t parameters = 0;    ///< stored numbers, the bias included
    std::uint64_t bytes = 0;         ///< as tensors() are stored: float32, int64; what a remapped operator packs
    std::uint64_t macsPerToken = 0;  ///< multiplications of the product; the bias costs none
    std::uint64_t packedParameters = 0; ///< of `parameters`: in a form of their own, whatever type the model's weights are stored in
    std::uint64_t packedBytes = 0;      ///< of `bytes`: theirs
};

/// A tensor to write: float values, 64-bit indices, or elements of another type as they are stored.
struct NamedTensor {
    std::string name;
    std::vector<std::int64_t> shape;
    std::vector<float> values;
    std::vector<std::int64_t> indices; ///< used when values is empty
    std::vector<std::byte> bytes{};    ///< of `type`, little-endian; used when both are empty
    tensor::DType type = tensor::DType::F32; ///< of bytes
    tensor::DType storedType() const noexcept { return !values.empty() ? tensor::DType::F32 : !indices.empty() ? tensor::DType::I64 : type; }
    std::span<const std::byte> storedBytes() const noexcept
    {
        return !values.empty() ? std::as_bytes(std::span(values)) : !indices.empty() ? std::as_bytes(std::span(indices)) : std::span(bytes);
    }
};

class LinearOp {
public:
    virtual ~LinearOp() = default;
    /// "dense", "factors", "block-identity", "tiled", "tiled-factors", "stacked", "remapped", "selected"
    virtual std::string_view kind() const noexcept = 0;
    virtual std::int64_t inFeatures() const noexcept = 0;
    virtual std::int64_t outFeatures() const noexcept = 0;
    /// Rank bound of W: min(in, out) for dense, r for factors, the sum over tiles for tiled.
    virtual std::int64_t rank() const noexcept = 0;
    virtual OperatorCost cost() const noexcept = 0;
    /// y = epilogue(x W^T): x [tokens, in], y [tokens, out]. `epilogue.bias` is ignored: the operator's own bias is used.
    virtual void apply(kernels::ConstRows x, kernels::Epilogue epilogue, kernels::Rows y, Scratch& scratch) const = 0;
    /// The matrix that this operator multiplies by, [out, in].
    virtual tensor::Matrix<float> dense() const = 0;
    const std::vector<float>& bias() const noexcept { return m_bias; } ///< [out] or empty
    /// <name>.weight or .lowrank_a/_b/_perm or .tiled_*, .remap_* or .selected_* and <name>.bias; stacked: those of <name>.part0, .part1, ...
    virtual std::vector<NamedTensor> tensors(const std::string& name) const = 0;
    /// The operators whose outputs stand side by side; empty unless stacked.
    virtual const std::vector<std::shared_ptr<const LinearOp>>& parts() const noexcept;

protected:
    explicit LinearOp(std::vector<float> bias) : m_bias(std::move(bias)) {}
    const float* biasOrNull() const noexcept { return m_bias.empty() ? nullptr : m_bias.data(); }
    NamedTensor biasTensor(const std::string& name) const;
    std::vector<float> m_bias;
};

using LinearPtr = std::shared_ptr<const LinearOp>;

/// Throws Error{InvalidParameter} unless `permutation` holds each of 0 .. count - 1 once.
void requirePermutation(const std::vector<std::int64_t>& permutation, std::int64_t count);

// Factories. Shapes that disagree throw Error{InvalidParameter}. `bias` is [out] or empty.

LinearPtr denseOp(tensor::MatrixView<const float> weight, std::vector<float> bias); ///< weight [out, in]
/// W = B A: b [out, r], a [r, in].
LinearPtr factorsOp(tensor::MatrixView<const float> b, tensor::MatrixView<const float> a, std::vector<float> bias);
/// W = B [I, C] P: b [out, r], c [r, in - r], input permutation[j] feeds column j of [I, C].
LinearPtr blockIdentityOp(tensor::MatrixView<const float> b, tensor::MatrixView<const float> c,
                          std::vector<std::int64_t> permutation, std::vector<float> bias);
/// Block diagonal: tile t maps inputs [t in/T, (t+1) in/T) to outputs [t out/T, ...). tiles[t] is [out/T, in/T].
/// `permutation` (empty: none) picks inputs first: feature j of the tiles is input permutation[j].
LinearPtr tiledOp(const std::vector<tensor::Matrix<float>>& tiles, std::vector<std::int64_t> permutation, std::vector<float> bias);
/// The same with each tile as B_t A_t.
struct TileFactors {
    tensor::Matrix<float> b, a; ///< [out/T, r], [r, in/T]
};
LinearPtr tiledFactorsOp(const std::vector<TileFactors>& tiles, std::vector<std::int64_t> permutation, std::vector<float> bias);
/// Outputs of several operators over one input, one after another (the parts of a fused q, k, v projection). Each part holds
/// its slice of the bias: all of them or none.
LinearPtr stackedOp(std::vector<LinearPtr> parts);
/// A dense block, zero elsewhere: weight [r, c] from inputs columns[0 .. c) (empty: all of them) to outputs; output j is row
/// rows[j] - 1 of the weight, or nothing but the bias where rows[j] is 0 (empty: the outputs are the rows).
LinearPtr selectedOp(tensor::MatrixView<const float> weight, std::vector<std::int64_t> rows, std::vector<std::int64_t> columns, std::int64_t in,
                     std::vector<float> bias);

/// Two factors of W ~ B A as Dobi-SVD remaps them. With s = min(out, in), the first s rows of B and the first s columns of A (an
/// 8-bit number of each beside the other fill 16 bits) are 8-bit, what is left of the longer factor is half floats:
///   B(i, k) = scaleB[i] / 127 bytesB(i, k) for i < s, halvesB(i - s, k) beyond;
///   A(k, j) = scale[k] scaleA[j] / 127 bytesA(k, j) for j < s, scale[k] halvesA(k, j - s) beyond.
/// 2 r max(out, in) bytes, and the scales: half floats for rows of B and columns of A, float32 for latents.
struct RemappedFactors {
    tensor::Matrix<std::int8_t> bytesB, bytesA;     ///< [s, r], [r, s]; -127 .. 127
    tensor::Matrix<std::uint16_t> halvesB, halvesA; ///< bits; [out - s, r], [r, in - s]; one of them at most has elements
    std::vector<float> scaleB, scaleA;              ///< [s], the largest magnitude of each: numbers that a half float holds
    std::vector<float> scale;                       ///< [r]
    std::int64_t out() const noexcept { return bytesB.rows() + halvesB.rows(); }
    std::int64_t in() const noexcept { return bytesA.cols() + halvesA.cols(); }
    std::int64_t rank() const noexcept { return bytesB.cols(); }
};
/// Rounds the factors b [out, r] and a [r, in], r <= min(out, in): columns of B and rows of A are brought to unit length first, so
/// that every latent is as fine as the others. Factors of a singular value decomposition lose least. Throws
/// Error{InvalidParameter} for shapes that disagree, Error{NonFinite}.
RemappedFactors remapFactors(tensor::MatrixView<const double> b, tensor::MatrixView<const double> a);
/// Runs from the packed numbers: what is read from memory is what is stored.
LinearPtr remappedOp(const RemappedFactors& factors, std::vector<float> bias);

} // namespace tamis::nn
