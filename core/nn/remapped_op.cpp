// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/kernels/compact_matrix.h"
#include "core/nn/linear_op.h"
#include "core/tensor/convert.h"

#include <algorithm>
#include <cmath>

namespace tamis::nn {
namespace {
using kernels::CompactMatrix;
using kernels::ConstRows;
using kernels::Epilogue;
using kernels::Rows;
using tensor::DType;
using tensor::Matrix;

constexpr float kLevels = 127;

void require(bool holds, const std::string& sentence)
{
    if (!holds)
        throw Error(ErrorCode::InvalidParameter, sentence);
}

std::string shapeOf(std::int64_t rows, std::int64_t cols)
{
    return "[" + std::to_string(rows) + ", " + std::to_string(cols) + "]";
}

std::uint16_t halfOf(double value)
{
    std::uint16_t bits = 0;
    tensor::encode(DType::F16, std::span<const double>(&value, 1), std::as_writable_bytes(std::span(&bits, 1)));
    return bits;
}

float valueOf(std::uint16_t bits)
{
    float value = 0;
    tensor::decode(DType::F16, std::as_bytes(std::span(&bits, 1)), std::span(&value, 1));
    return value;
}

/// The least half float that is not below a magnitude of at most 1.
float scaleOf(double magnitude)
{
    std::uint16_t bits = halfOf(magnitude);
    if (static_cast<double>(valueOf(bits)) < magnitude)
        ++bits; // positive halves are in the order of their bits
    return valueOf(bits);
}

std::int8_t byteOf(double value, float scale)
{
    return scale > 0 ? static_cast<std::int8_t>(std::lround(value / static_cast<double>(scale) * kLevels)) : std::int8_t{0};
}

std::vector<float> overLevels(std::vector<float> scales)
{
    for (float& scale : scales)
        scale /= kLevels;
    return scales;
}

/// Lengths of the columns of b, or of the rows of a.
std::vector<double> lengths(tensor::MatrixView<const double> m, bool columns)
{
    std::vector<double> squares(static_cast<std::size_t>(columns ? m.cols : m.rows));
    for (std::int64_t i = 0; i < m.rows; ++i)
        for (std::int64_t j = 0; j < m.cols; ++j)
            squares[static_cast<std::size_t>(columns ? j : i)] += m(i, j) * m(i, j);
    for (double& each : squares)
        each = std::sqrt(each);
    return squares;
}

/// value(k) / length[k] of every latent.
template <class Value> std::vector<double> unitLine(std::int64_t rank, const std::vector<double>& length, const Value& value)
{
    std::vector<double> line;
    for (std::int64_t k = 0; k < rank; ++k)
        line.push_back(length[static_cast<std::size_t>(k)] > 0 ? value(k) / length[static_cast<std::size_t>(k)] : 0.0);
    return line;
}

float largest(const std::vector<double>& line)
{
    double most = 0;
    for (const double value : line)
        most = std::max(most, std::abs(value));
    return scaleOf(most);
}

template <class Element> NamedTensor elementsAs(std::string name, DType type, std::int64_t rows, std::int64_t cols, std::span<const Element> values)
{
    NamedTensor tensor{std::move(name), {rows, cols}, {}, {}};
    const auto bytes = std::as_bytes(values);
    tensor.bytes.assign(bytes.begin(), bytes.end());
    tensor.type = type;
    return tensor;
}

NamedTensor halfVector(std::string name, const std::vector<float>& values)
{
    NamedTensor tensor{std::move(name), {static_cast<std::int64_t>(values.size())}, {}, {}};
    tensor.bytes.resize(2 * values.size());
    tensor.type = DType::F16;
    tensor::encode(DType::F16, std::span<const float>(values), tensor.bytes);
    return tensor;
}

/// b a in double, rounded once.
Matrix<float> productOf(const std::vector<Matrix<float>>& b, const std::vector<Matrix<float>>& a, std::int64_t rank)
{
    Matrix<float> w(b[0].rows() + b[1].rows(), a[0].cols() + a[1].cols());
    std::vector<double> row(static_cast<std::size_t>(w.cols()));
    for (std::int64_t i = 0; i < w.rows(); ++i) {
        std::fill(row.begin(), row.end(), 0.0);
        for (std::int64_t k = 0; k < rank; ++k) {
            const double left = i < b[0].rows() ? b[0](i, k) : b[1](i - b[0].rows(), k);
            for (std::int64_t j = 0; j < w.cols(); ++j)
                row[static_cast<std::size_t>(j)] += left * static_cast<double>(j < a[0].cols() ? a[0](k, j) : a[1](k, j - a[0].cols()));
        }
        for (std::int64_t j = 0; j < w.cols(); ++j)
            w(i, j) = static_cast<float>(row[static_cast<std::size_t>(j)]);
    }
    return w;
}

class RemappedOp final : public LinearOp {
public:
    RemappedOp(const RemappedFactors& f, std::vector<float> bias)
        : LinearOp(std::move(bias)), m_scaleB(f.scaleB), m_scaleA(f.scaleA), m_scale(f.scale), m_bytesB(f.bytesB.view(), overLevels(f.scaleB), {}),
          m_halvesB(f.halvesB.view(), {}, {}), m_bytesA(f.bytesA.view(), f.scale, overLevels(f.scaleA)), m_halvesA(f.halvesA.view(), f.scale, {})
    {
    }
    std::string_view kind() const noexcept override { return "remapped"; }
    std::int64_t inFeatures() const noexcept override { return m_bytesA.cols() + m_halvesA.cols(); }
    std::int64_t outFeatures() const noexcept override { return m_bytesB.rows() + m_halvesB.rows(); }
    std::int64_t rank() const noexcept override { return m_bytesB.cols(); }
    OperatorCost cost() const noexcept override
    {
        const auto weights = static_cast<std::uint64_t>(rank() * (inFeatures() + outFeatures()));
        const auto packed = static_cast<std::uint64_t>(2 * rank() * std::max(inFeatures(), outFeatures()));
        const std::uint64_t scales = 2 * (m_scaleB.size() + m_scaleA.size()) + 4 * m_scale.size();
        return {weights + m_bias.size(), packed + scales + 4 * m_bias.size(), weights, weights, packed + scales};
    }
    void apply(ConstRows x, Epilogue epilogue, Rows y, Scratch& scratch) const override
    {
        Scratch::Frame frame(scratch);
        const Rows latent = frame.take(x.rows, rank());
        const std::int64_t in = m_bytesA.cols(), out = m_bytesB.rows();
        multiply(columns(x, 0, in), m_bytesA, {}, latent, scratch.parallel());
        if (m_halvesA.cols() > 0)
            multiply(columns(x, in, m_halvesA.cols()), m_halvesA, {.base = latent}, latent, scratch.parallel());
        epilogue.bias = biasOrNull();
        multiply(latent, m_bytesB, part(epilogue, 0, out), columns(y, 0, out), scratch.parallel());
        if (m_halvesB.rows() > 0)
            multiply(latent, m_halvesB, part(epilogue, out, m_halvesB.rows()), columns(y, out, m_halvesB.rows()), scratch.parallel());
    }
    Matrix<float> dense() const override
    {
        return productOf({m_bytesB.unpack(), m_halvesB.unpack()}, {m_bytesA.unpack(), m_halvesA.unpack()}, rank());
    }
    std::vector<NamedTensor> tensors(const std::string& name) const override
    {
        std::vector<NamedTensor> all;
        const auto bytes = [&](const char* which, const CompactMatrix& m) { all.push_back(elementsAs<std::int8_t>(name + which, DType::I8, m.rows(), m.cols(), m.storedBytes().values())); };
        const auto halves = [&](const char* which, const CompactMatrix& m) {
            if (m.rows() > 0 && m.cols() > 0)
                all.push_back(elementsAs<std::uint16_t>(name + which, DType::F16, m.rows(), m.cols(), m.storedHalves().values()));
        };
        bytes(".remap_b", m_bytesB);
        bytes(".remap_a", m_bytesA);
        halves(".remap_b_rest", m_halvesB);
        halves(".remap_a_rest", m_halvesA);
        all.push_back(halfVector(name + ".remap_scale_b", m_scaleB));
        all.push_back(halfVector(name + ".remap_scale_a", m_scaleA));
        all.push_back({name + ".remap_scale", {rank()}, m_scale, {}});
        if (!m_bias.empty())
            all.push_back(biasTensor(name));
        return all;
    }

private:
    template <class T> static tensor::MatrixView<T> columns(tensor::MatrixView<T> view, std::int64_t begin, std::int64_t count)
    {
        return {view.data + begin, view.rows, count, view.stride};
    }
    static Epilogue part(Epilogue e, std::int64_t begin, std::int64_t count)
    {
        e.bias = e.bias ? e.bias + begin : nullptr;
        e.scale = e.scale ? e.scale + begin : nullptr;
        e.factor = e.factor.data ? columns(e.factor, begin, count) : e.factor;
        e.base = e.base.data ? columns(e.base, begin, count) : e.base;
        return e;
    }

    std::vector<float> m_scaleB, m_scaleA, m_scale;
    CompactMatrix m_bytesB, m_halvesB, m_bytesA, m_halvesA;
};

void requireScales(const std::vector<float>& scales, std::int64_t count, const char* what)
{
    require(static_cast<std::int64_t>(scales.size()) == count, std::string("found ") + std::to_string(scales.size()) + " scales of " + what + ", expected " + std::to_string(count));
    for (const float scale : scales)
        require(std::isfinite(scale), std::string("a scale of ") + what + " is no finite number");
}

bool finiteHalves(const Matrix<std::uint16_t>& m)
{
    return std::ranges::all_of(m.values(), [](std::uint16_t bits) { return (bits & 0x7c00) != 0x7c00; });
}
} // namespace

RemappedFactors remapFactors(tensor::MatrixView<const double> b, tensor::MatrixView<const double> a)
{
    const std::int64_t out = b.rows, in = a.cols, r = b.cols, s = std::min(out, in);
    require(r == a.rows && r > 0 && r <= s, "factors " + shapeOf(out, r) + " and " + shapeOf(a.rows, in) + " cannot be remapped, expected an equal rank of 1 to " + std::to_string(s));
    const std::vector<double> lengthB = lengths(b, true), lengthA = lengths(a, false);
    RemappedFactors f{Matrix<std::int8_t>(s, r), Matrix<std::int8_t>(r, s), Matrix<std::uint16_t>(out - s, r), Matrix<std::uint16_t>(r, in - s), {}, {}, {}};
    for (std::size_t k = 0; k < lengthB.size(); ++k)
        f.scale.push_back(static_cast<float>(lengthB[k] * lengthA[k]));
    if (!std::ranges::all_of(f.scale, [](float scale) { return std::isfinite(scale); }))
        throw Error(ErrorCode::NonFinite, "the factors to remap hold values that are not finite, or too large for float32");
    for (std::int64_t i = 0; i < out; ++i) {
        const std::vector<double> row = unitLine(r, lengthB, [&](std::int64_t k) { return b(i, k); });
        if (i < s)
            f.scaleB.push_back(largest(row));
        for (std::int64_t k = 0; k < r; ++k)
            if (const double value = row[static_cast<std::size_t>(k)]; i < s)
                f.bytesB(i, k) = byteOf(value, f.scaleB.back());
            else
                f.halvesB(i - s, k) = halfOf(value);
    }
    for (std::int64_t j = 0; j < in; ++j) {
        const std::vector<double> column = unitLine(r, lengthA, [&](std::int64_t k) { return a(k, j); });
        if (j < s)
            f.scaleA.push_back(largest(column));
        for (std::int64_t k = 0; k < r; ++k)
            if (const double value = column[static_cast<std::size_t>(k)]; j < s)
                f.bytesA(k, j) = byteOf(value, f.scaleA.back());
            else
                f.halvesA(k, j - s) = halfOf(value);
    }
    return f;
}

LinearPtr remappedOp(const RemappedFactors& f, std::vector<float> bias)
{
    const std::int64_t s = std::min(f.out(), f.in()), r = f.rank();
    const bool fits = r > 0 && r <= s && f.bytesB.rows() == s && f.bytesA.rows() == r && f.bytesA.cols() == s && (f.halvesB.rows() == 0 || f.halvesB.cols() == r) &&
                      (f.halvesA.cols() == 0 || f.halvesA.rows() == r);
    require(fits, "8-bit factors " + shapeOf(f.bytesB.rows(), r) + " and " + shapeOf(f.bytesA.rows(), f.bytesA.cols()) + " with half floats " +
                      shapeOf(f.halvesB.rows(), f.halvesB.cols()) + " and " + shapeOf(f.halvesA.rows(), f.halvesA.cols()) +
                      " do not belong together, expected as many 8-bit rows and columns as the smaller side has");
    requireScales(f.scaleB, s, "rows");
    requireScales(f.scaleA, s, "columns");
    requireScales(f.scale, r, "latents");
    require(finiteHalves(f.halvesB) && finiteHalves(f.halvesA), "a half float of remapped factors is no finite number");
    require(bias.empty() || static_cast<std::int64_t>(bias.size()) == f.out(),
            "a bias of " + std::to_string(bias.size()) + " numbers does not fit " + std::to_string(f.out()) + " outputs");
    return std::make_shared<RemappedOp>(f, std::move(bias));
}

} // namespace tamis::nn
