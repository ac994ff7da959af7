// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/nn/tensor_binding.h"

#include "core/base/error.h"
#include "core/io/tensor_entry.h"
#include "core/tensor/convert.h"
#include "core/tensor/transpose.h"

#include <algorithm>
#include <cmath>

namespace tamis::nn {

using tensor::Matrix;

namespace {
std::int64_t elements(const std::vector<std::int64_t>& shape)
{
    std::int64_t count = 1;
    for (const std::int64_t d : shape)
        count *= d; // readers have checked that it does not overflow
    return count;
}

/// rows * cols, or -1 when that is no number of elements a tensor can have.
std::int64_t product(std::int64_t rows, std::int64_t cols)
{
    std::int64_t count = 0;
    return __builtin_mul_overflow(rows, cols, &count) ? -1 : count;
}

Matrix<float> asMatrix(std::vector<float> values, std::int64_t rows, std::int64_t cols)
{
    Matrix<float> m(rows, cols);
    std::copy(values.begin(), values.end(), m.values().begin());
    return m;
}
} // namespace

void TensorBinding::refuseShape(const std::string& tensor, const std::vector<std::int64_t>& found, const std::string& expected) const
{
    throw Error(ErrorCode::MalformedFile, "tensor " + tensor + " has shape " + io::shapeText(found) + ", expected " + expected + " by config.json", m_source.subject());
}

std::vector<float> TensorBinding::numbers(const std::string& tensor, const std::vector<std::int64_t>& shape) const
{
    std::vector<float> values = m_source.values(tensor, shape);
    if (static_cast<std::int64_t>(values.size()) != elements(shape))
        throw Error(ErrorCode::MalformedFile, "tensor " + tensor + " holds " + std::to_string(values.size()) + " numbers, expected " + std::to_string(elements(shape)) + " by its shape " + io::shapeText(shape), m_source.subject());
    return values;
}

std::vector<float> TensorBinding::vector(const std::string& tensor, std::int64_t count) const
{
    if (!m_source.has(tensor))
        throw Error(ErrorCode::MalformedFile, "has no tensor " + tensor + ", which its architecture needs", m_source.subject());
    const std::vector<std::int64_t> shape = m_source.shape(tensor, {count});
    if (elements(shape) != count)
        refuseShape(tensor, shape, std::to_string(count) + " numbers");
    return numbers(tensor, shape);
}

Matrix<float> TensorBinding::table(const std::string& tensor, std::int64_t rows, std::int64_t cols) const
{
    if (!m_source.has(tensor))
        throw Error(ErrorCode::MalformedFile, "has no tensor " + tensor + ", which its architecture needs", m_source.subject());
    const std::vector<std::int64_t> shape = m_source.shape(tensor, {rows, cols});
    const bool fits = !shape.empty() && shape.back() == cols && elements(shape) == product(rows, cols);
    if (!fits)
        refuseShape(tensor, shape, "[" + std::to_string(rows) + ", " + std::to_string(cols) + "]");
    return asMatrix(numbers(tensor, shape), rows, cols);
}

Norm TensorBinding::norm(const std::string& name, const NormSpec& spec, std::int64_t width) const
{
    Norm norm;
    norm.spec = spec;
    if (spec.kind == NormKind::None)
        return norm;
    const bool old = !m_source.has(name + ".weight") && m_source.has(name + ".gamma"); // TensorFlow's names
    norm.weight = vector(name + (old ? ".gamma" : ".weight"), width);
    if (spec.bias)
        norm.bias = vector(name + (old ? ".beta" : ".bias"), width);
    return norm;
}

Matrix<float> TensorBinding::matrix(const std::string& tensor, std::int64_t rows, std::int64_t cols) const
{
    const std::vector<std::int64_t> shape = m_source.shape(tensor, {rows, cols});
    const bool fits = shape.size() >= 2 && shape[0] == rows && elements(shape) == product(rows, cols);
    if (!fits)
        refuseShape(tensor, shape, "[" + std::to_string(rows) + ", " + std::to_string(cols) + "]");
    return asMatrix(numbers(tensor, shape), rows, cols);
}

std::vector<std::int64_t> TensorBinding::permutation(const std::string& tensor, std::int64_t count) const
{
    const std::vector<float> values = vector(tensor, count);
    std::vector<std::int64_t> indices;
    for (const float v : values) { // exact: inputs number far below 2^24
        if (!(v >= 0) || v >= static_cast<float>(count))
            throw Error(ErrorCode::MalformedFile, "tensor " + tensor + " names input " + std::to_string(v) + ", expected 0 to " + std::to_string(count - 1), m_source.subject());
        indices.push_back(static_cast<std::int64_t>(v));
    }
    return indices;
}

LinearPtr TensorBinding::factors(const std::string& name, std::int64_t out, std::int64_t in, std::vector<float> bias) const
{
    const std::string aName = name + ".lowrank_a", bName = name + ".lowrank_b", permName = name + ".lowrank_perm";
    const auto bShape = m_source.shape(bName, {});
    if (bShape.size() != 2 || bShape[0] != out || bShape[1] < 1)
        refuseShape(bName, bShape, "[" + std::to_string(out) + ", rank]");
    if (!m_source.has(aName))
        throw Error(ErrorCode::MalformedFile, "has no tensor " + aName + " beside " + bName, m_source.subject());
    const std::int64_t rank = bShape[1];
    const Matrix<float> b = matrix(bName, out, rank);
    if (!m_source.has(permName))
        return factorsOp(b.view(), matrix(aName, rank, in).view(), std::move(bias));
    if (rank > in)
        refuseShape(bName, bShape, "a rank of at most " + std::to_string(in));
    const Matrix<float> c = in == rank ? Matrix<float>(rank, 0) : matrix(aName, rank, in - rank);
    return blockIdentityOp(b.view(), c.view(), permutation(permName, in), std::move(bias));
}

LinearPtr TensorBinding::remapped(const std::string& name, std::int64_t out, std::int64_t in, std::vector<float> bias) const
{
    const std::string first = name + ".remap_b";
    const auto shape = m_source.shape(first, {std::min(out, in), 1});
    const std::int64_t s = std::min(out, in), r = shape.size() == 2 ? shape[1] : 0;
    if (shape.size() != 2 || shape[0] != s || r < 1 || r > s)
        refuseShape(first, shape, "[" + std::to_string(s) + ", a rank of 1 to " + std::to_string(s) + "]");
    const auto numbers = [&](const std::string& tensor, std::int64_t rows, std::int64_t cols) { // as they are stored, decoded to float
        if (!m_source.has(tensor))
            throw Error(ErrorCode::MalformedFile, "has no tensor " + tensor + " beside " + first, m_source.subject());
        return matrix(tensor, rows, cols);
    };
    const auto bytes = [&](const std::string& tensor, std::int64_t rows, std::int64_t cols) {
        const Matrix<float> values = numbers(tensor, rows, cols);
        Matrix<std::int8_t> whole(rows, cols);
        for (std::size_t i = 0; i < values.size(); ++i) {
            const float v = values.values()[i];
            if (!(std::abs(v) <= 127) || v != std::trunc(v))
                throw Error(ErrorCode::MalformedFile, "tensor " + tensor + " holds " + std::to_string(v) + ", expected whole numbers of -127 to 127", m_source.subject());
            whole.values()[i] = static_cast<std::int8_t>(v);
        }
        return whole;
    };
    const auto halves = [&](const std::string& tensor, std::int64_t rows, std::int64_t cols) {
        Matrix<std::uint16_t> bits(rows, cols);
        if (bits.empty())
            return bits;
        const Matrix<float> values = numbers(tensor, rows, cols);
        const auto target = std::as_writable_bytes(bits.values());
        tensor::encode(tensor::DType::F16, values.values(), target);
        std::vector<float> back(values.size());
        tensor::decode(tensor::DType::F16, target, back);
        for (std::size_t i = 0; i < back.size(); ++i)
            if (back[i] != values.values()[i] || !std::isfinite(back[i]))
                throw Error(ErrorCode::MalformedFile, "tensor " + tensor + " holds " + std::to_string(values.values()[i]) + ", expected finite numbers that a half float holds",
                            m_source.subject());
        return bits;
    };
    const auto scales = [&](const std::string& tensor, std::int64_t count) {
        std::vector<float> values = vector(tensor, count);
        for (const float v : values)
            if (!std::isfinite(v) || v < 0)
                throw Error(ErrorCode::MalformedFile, "tensor " + tensor + " holds " + std::to_string(v) + ", expected finite scales of at least 0", m_source.subject());
        return values;
    };
    const RemappedFactors factors{bytes(first, s, r), bytes(name + ".remap_a", r, s), halves(name + ".remap_b_rest", out - s, r), halves(name + ".remap_a_rest", r, in - s),
                                  scales(name + ".remap_scale_b", s), scales(name + ".remap_scale_a", s), scales(name + ".remap_scale", r)};
    return remappedOp(factors, std::move(bias));
}

std::vector<Matrix<float>> TensorBinding::stack(const std::string& tensor, std::int64_t& tiles) const
{
    const auto shape = m_source.shape(tensor, {});
    if (shape.size() != 3 || shape[0] < 1 || (tiles > 0 && shape[0] != tiles))
        refuseShape(tensor, shape, "[tiles, rows, columns]");
    tiles = shape[0];
    const std::vector<float> values = numbers(tensor, shape);
    std::vector<Matrix<float>> all;
    for (std::int64_t t = 0; t < tiles; ++t) {
        const auto begin = values.begin() + t * shape[1] * shape[2];
        all.push_back(asMatrix({begin, begin + shape[1] * shape[2]}, shape[1], shape[2]));
    }
    return all;
}

LinearPtr TensorBinding::tiled(const std::string& name, std::int64_t out, std::int64_t in, std::vector<float> bias) const
{
    std::vector<std::int64_t> order;
    if (m_source.has(name + ".tiled_perm"))
        order = permutation(name + ".tiled_perm", in);
    std::int64_t tiles = 0;
    LinearPtr op;
    if (m_source.has(name + ".tiled_weight")) {
        op = tiledOp(stack(name + ".tiled_weight", tiles), std::move(order), std::move(bias));
    } else {
        const auto b = stack(name + ".tiled_b", tiles), a = stack(name + ".tiled_a", tiles);
        std::vector<TileFactors> pairs;
        for (std::size_t t = 0; t < b.size(); ++t)
            pairs.push_back({b[t], a[t]});
        op = tiledFactorsOp(pairs, std::move(order), std::move(bias));
    }
    if (op->inFeatures() != in || op->outFeatures() != out)
        throw Error(ErrorCode::MalformedFile, "the tiles of " + name + " make [" + std::to_string(op->outFeatures()) + ", " + std::to_string(op->inFeatures()) +
                                                  "], expected [" + std::to_string(out) + ", " + std::to_string(in) + "] by config.json", m_source.subject());
    return op;
}

LinearPtr TensorBinding::selected(const std::string& name, std::int64_t out, std::int64_t in, std::vector<float> bias) const
{
    const std::string weightName = name + ".selected_weight", rowsName = name + ".selected_rows", columnsName = name + ".selected_columns";
    const auto shape = m_source.shape(weightName, {out, in});
    const bool hasRows = m_source.has(rowsName), hasColumns = m_source.has(columnsName);
    if (shape.size() != 2 || shape[0] < 1 || shape[1] < 1 || shape[0] > out || shape[1] > in || (!hasRows && shape[0] != out) || (!hasColumns && shape[1] != in))
        refuseShape(weightName, shape, "a block of [" + std::to_string(out) + ", " + std::to_string(in) + "]");
    const auto indices = [&](const std::string& tensor, std::int64_t count) {
        const std::vector<float> values = vector(tensor, count);
        for (const float v : values)
            if (!(v >= 0 && v <= static_cast<float>(std::max(out, in))) || v != std::trunc(v))
                throw Error(ErrorCode::MalformedFile, "tensor " + tensor + " holds " + std::to_string(v) + ", expected indices up to " + std::to_string(std::max(out, in)), m_source.subject());
        return std::vector<std::int64_t>(values.begin(), values.end());
    };
    return selectedOp(matrix(weightName, shape[0], shape[1]).view(), hasRows ? indices(rowsName, out) : std::vector<std::int64_t>{},
                      hasColumns ? indices(columnsName, shape[1]) : std::vector<std::int64_t>{}, in, std::move(bias));
}

LinearPtr TensorBinding::stacked(const std::string& name, std::int64_t out, std::int64_t in) const
{
    std::vector<LinearPtr> parts;
    std::int64_t outputs = 0;
    for (int i = 0; i < kMostParts && hasOperator(m_source, name + ".part" + std::to_string(i)); ++i) {
        const std::string part = name + ".part" + std::to_string(i);
        const std::int64_t own = operatorOutputs(m_source, part, out);
        if (own < 1 || own > out - outputs || hasOperator(m_source, part + ".part0"))
            throw Error(ErrorCode::MalformedFile, "the part " + part + " has " + std::to_string(own) + " outputs, expected 1 to " + std::to_string(out - outputs) + " and no parts of its own",
                        m_source.subject());
        parts.push_back(TensorBinding(m_source, false).linear(part, io::Role::Other, -1, own, in).op); // always [out, in]
        outputs += own;
    }
    if (outputs != out)
        throw Error(ErrorCode::MalformedFile, "the parts of " + name + " have " + std::to_string(outputs) + " outputs, expected " + std::to_string(out) + " by config.json", m_source.subject());
    return stackedOp(std::move(parts));
}

LinearSlot TensorBinding::linear(const std::string& name, io::Role role, int layer, std::int64_t out, std::int64_t in) const
{
    std::vector<float> bias;
    if (m_source.has(name + ".bias"))
        bias = vector(name + ".bias", out);
    LinearSlot slot{name, role, layer, nullptr};
    if (m_source.has(name + ".weight")) {
        const Matrix<float> weight = m_transposed ? transposed(matrix(name + ".weight", in, out)) : matrix(name + ".weight", out, in);
        slot.op = denseOp(weight.view(), std::move(bias));
    } else if (m_source.has(name + ".lowrank_b")) {
        slot.op = factors(name, out, in, std::move(bias));
    } else if (m_source.has(name + ".remap_b")) {
        slot.op = remapped(name, out, in, std::move(bias));
    } else if (m_source.has(name + ".selected_weight")) {
        slot.op = selected(name, out, in, std::move(bias));
    } else if (hasOperator(m_source, name + ".part0")) {
        slot.op = stacked(name, out, in);
    } else if (hasOperator(m_source, name)) {
        slot.op = tiled(name, out, in, std::move(bias));
    } else {
        throw Error(ErrorCode::MalformedFile, "has no tensor " + name + ".weight, which its architecture needs", m_source.subject());
    }
    return slot;
}

} // namespace tamis::nn
