// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/nn/linear_op.h"

#include "core/base/error.h"
#include "core/base/parallel.h"

#include <algorithm>

namespace tamis::nn {

using kernels::ConstRows;
using kernels::Epilogue;
using kernels::PackedMatrix;
using kernels::Rows;
using tensor::Matrix;

namespace {
std::string shapeOf(std::int64_t rows, std::int64_t cols)
{
    return "[" + std::to_string(rows) + ", " + std::to_string(cols) + "]";
}

void require(bool holds, const std::string& sentence)
{
    if (!holds)
        throw Error(ErrorCode::InvalidParameter, sentence);
}

void requireBias(const std::vector<float>& bias, std::int64_t out)
{
    require(bias.empty() || static_cast<std::int64_t>(bias.size()) == out,
            "a bias of " + std::to_string(bias.size()) + " numbers does not fit " + std::to_string(out) + " outputs");
}


NamedTensor matrixTensor(std::string name, const Matrix<float>& m)
{
    return {std::move(name), {m.rows(), m.cols()}, {m.values().begin(), m.values().end()}, {}};
}

/// b a in double, rounded once. Rows in blocks, so that a is read once for eight of them; callers run many products side by side.
Matrix<float> productOf(const Matrix<float>& b, const Matrix<float>& a)
{
    constexpr std::int64_t kRows = 8;
    Matrix<float> w(b.rows(), a.cols());
    const auto width = static_cast<std::size_t>(a.cols());
    for (std::int64_t first = 0; first < b.rows(); first += kRows) {
        const std::int64_t last = std::min(first + kRows, b.rows());
        std::vector<double> sums(static_cast<std::size_t>(last - first) * width, 0.0);
        for (std::int64_t k = 0; k < b.cols(); ++k)
            for (std::int64_t i = first; i < last; ++i) {
                double* row = sums.data() + static_cast<std::size_t>(i - first) * width;
                const float* right = a.data() + k * a.cols();
                const double factor = b(i, k);
                for (std::size_t j = 0; j < width; ++j)
                    row[j] += factor * double(right[j]);
            }
        std::transform(sums.begin(), sums.end(), w.data() + first * a.cols(), [](double sum) { return static_cast<float>(sum); });
    }
    return w;
}

class DenseOp final : public LinearOp {
public:
    DenseOp(ConstRows weight, std::vector<float> bias) : LinearOp(std::move(bias)), m_weight(weight) {}
    std::string_view kind() const noexcept override { return "dense"; }
    std::int64_t inFeatures() const noexcept override { return m_weight.cols(); }
    std::int64_t outFeatures() const noexcept override { return m_weight.rows(); }
    std::int64_t rank() const noexcept override { return std::min(m_weight.rows(), m_weight.cols()); }
    OperatorCost cost() const noexcept override
    {
        const auto weights = static_cast<std::uint64_t>(m_weight.rows() * m_weight.cols());
        return {weights + m_bias.size(), 4 * (weights + m_bias.size()), weights};
    }
    void apply(ConstRows x, Epilogue epilogue, Rows y, Scratch& scratch) const override
    {
        epilogue.bias = biasOrNull();
        multiply(x, m_weight, epilogue, y, scratch.parallel());
    }
    Matrix<float> dense() const override { return m_weight.unpack(); }
    std::vector<NamedTensor> tensors(const std::string& name) const override
    {
        std::vector<NamedTensor> all{matrixTensor(name + ".weight", m_weight.unpack())};
        if (!m_bias.empty())
            all.push_back(biasTensor(name));
        return all;
    }

private:
    PackedMatrix m_weight;
};

class FactorsOp final : public LinearOp {
public:
    FactorsOp(ConstRows b, ConstRows a, std::vector<float> bias) : LinearOp(std::move(bias)), m_b(b), m_a(a) {}
    std::string_view kind() const noexcept override { return "factors"; }
    std::int64_t inFeatures() const noexcept override { return m_a.cols(); }
    std::int64_t outFeatures() const noexcept override { return m_b.rows(); }
    std::int64_t rank() const noexcept override { return m_a.rows(); }
    OperatorCost cost() const noexcept override
    {
        const auto weights = static_cast<std::uint64_t>(m_a.rows() * (m_a.cols() + m_b.rows()));
        return {weights + m_bias.size(), 4 * (weights + m_bias.size()), weights};
    }
    void apply(ConstRows x, Epilogue epilogue, Rows y, Scratch& scratch) const override
    {
        Scratch::Frame frame(scratch);
        const Rows latent = frame.take(x.rows, m_a.rows());
        multiply(x, m_a, {}, latent, scratch.parallel());
        epilogue.bias = biasOrNull();
        multiply(latent, m_b, epilogue, y, scratch.parallel());
    }
    Matrix<float> dense() const override { return productOf(m_b.unpack(), m_a.unpack()); }
    std::vector<NamedTensor> tensors(const std::string& name) const override
    {
        std::vector<NamedTensor> all{matrixTensor(name + ".lowrank_a", m_a.unpack()), matrixTensor(name + ".lowrank_b", m_b.unpack())};
        if (!m_bias.empty())
            all.push_back(biasTensor(name));
        return all;
    }

private:
    PackedMatrix m_b, m_a;
};

/// The identity part costs a copy instead of r^2 multiplications a token.
class BlockIdentityOp final : public LinearOp {
public:
    BlockIdentityOp(ConstRows b, ConstRows c, std::vector<std::int64_t> permutation, std::vector<float> bias)
        : LinearOp(std::move(bias)), m_b(b), m_c(c), m_permutation(std::move(permutation)), m_order(m_permutation.begin(), m_permutation.end())
    {
    }
    std::string_view kind() const noexcept override { return "block-identity"; }
    std::int64_t inFeatures() const noexcept override { return m_c.rows() + m_c.cols(); }
    std::int64_t outFeatures() const noexcept override { return m_b.rows(); }
    std::int64_t rank() const noexcept override { return m_c.rows(); }
    OperatorCost cost() const noexcept override
    {
        const auto weights = static_cast<std::uint64_t>(m_c.rows() * m_c.cols() + m_b.rows() * m_b.cols());
        return {weights + m_bias.size(), 4 * (weights + m_bias.size()) + 8 * m_permutation.size(), weights};
    }
    void apply(ConstRows x, Epilogue epilogue, Rows y, Scratch& scratch) const override
    {
        Scratch::Frame frame(scratch);
        const std::int64_t r = rank();
        const Rows gathered = frame.take(x.rows, x.cols), latent = frame.take(x.rows, r);
        gather(x, gathered, scratch);
        const ConstRows kept{gathered.data, x.rows, r, gathered.stride};
        if (m_c.cols() > 0)
            multiply({gathered.data + r, x.rows, x.cols - r, gathered.stride}, m_c, {.base = kept}, latent, scratch.parallel());
        epilogue.bias = biasOrNull();
        multiply(m_c.cols() > 0 ? ConstRows(latent) : kept, m_b, epilogue, y, scratch.parallel());
    }
    Matrix<float> dense() const override
    {
        const Matrix<float> b = m_b.unpack(), bc = productOf(b, m_c.unpack());
        Matrix<float> w(b.rows(), inFeatures());
        for (std::int64_t i = 0; i < w.rows(); ++i)
            for (std::int64_t j = 0; j < w.cols(); ++j)
                w(i, m_permutation[static_cast<std::size_t>(j)]) = j < rank() ? b(i, j) : bc(i, j - rank());
        return w;
    }
    std::vector<NamedTensor> tensors(const std::string& name) const override
    {
        std::vector<NamedTensor> all{matrixTensor(name + ".lowrank_a", m_c.unpack()), matrixTensor(name + ".lowrank_b", m_b.unpack()),
                                     {name + ".lowrank_perm", {static_cast<std::int64_t>(m_permutation.size())}, {}, m_permutation}};
        if (!m_bias.empty())
            all.push_back(biasTensor(name));
        return all;
    }

private:
    /// Columns of x in the order of the permutation. A row of x stays in L1 while it is picked from.
    void gather(ConstRows x, Rows to, Scratch& scratch) const
    {
        constexpr std::int64_t kRows = 16, kWorthATask = 1 << 15; // rows a task; numbers below which one thread is sooner done
        const auto rows = [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t i = begin; i < end; ++i) {
                const float* from = x.data + i * x.stride;
                float* row = to.data + i * to.stride;
                for (std::size_t j = 0; j < m_order.size(); ++j)
                    row[j] = from[m_order[j]];
            }
        };
        if (!scratch.parallel() || x.rows * x.cols < kWorthATask) {
            rows(0, x.rows);
            return;
        }
        parallelFor(scratch.context(), static_cast<std::size_t>((x.rows + kRows - 1) / kRows), [&](std::size_t block) {
            const std::int64_t begin = static_cast<std::int64_t>(block) * kRows;
            rows(begin, std::min(begin + kRows, x.rows));
        });
    }

    PackedMatrix m_b, m_c;
    std::vector<std::int64_t> m_permutation;
    std::vector<std::int32_t> m_order; ///< the same, narrow: half the bytes a row of x is picked with
};
} // namespace

NamedTensor LinearOp::biasTensor(const std::string& name) const
{
    return {name + ".bias", {static_cast<std::int64_t>(m_bias.size())}, m_bias, {}};
}

void requirePermutation(const std::vector<std::int64_t>& permutation, std::int64_t count)
{
    std::vector<bool> seen(static_cast<std::size_t>(count));
    require(static_cast<std::int64_t>(permutation.size()) == count,
            "a permutation of " + std::to_string(permutation.size()) + " does not fit " + std::to_string(count) + " inputs");
    for (const std::int64_t p : permutation) {
        require(p >= 0 && p < count && !seen[static_cast<std::size_t>(p)], "a permutation names input " + std::to_string(p) + " twice or beyond " + std::to_string(count));
        seen[static_cast<std::size_t>(p)] = true;
    }
}

LinearPtr denseOp(tensor::MatrixView<const float> weight, std::vector<float> bias)
{
    requireBias(bias, weight.rows);
    return std::make_shared<DenseOp>(weight, std::move(bias));
}

LinearPtr factorsOp(tensor::MatrixView<const float> b, tensor::MatrixView<const float> a, std::vector<float> bias)
{
    require(b.cols == a.rows && a.rows > 0, "factors " + shapeOf(b.rows, b.cols) + " and " + shapeOf(a.rows, a.cols) + " do not multiply");
    requireBias(bias, b.rows);
    return std::make_shared<FactorsOp>(b, a, std::move(bias));
}

LinearPtr blockIdentityOp(tensor::MatrixView<const float> b, tensor::MatrixView<const float> c, std::vector<std::int64_t> permutation, std::vector<float> bias)
{
    require(b.cols == c.rows && c.rows > 0, "factors " + shapeOf(b.rows, b.cols) + " and [I, " + shapeOf(c.rows, c.cols) + "] do not multiply");
    requireBias(bias, b.rows);
    requirePermutation(permutation, c.rows + c.cols);
    return std::make_shared<BlockIdentityOp>(b, c, std::move(permutation), std::move(bias));
}

} // namespace tamis::nn
