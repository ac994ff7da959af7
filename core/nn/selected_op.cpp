// SPDX-License-Identifier: GPL-3.0-or-later
// A dense block between some inputs and some outputs: heads that were cut to fewer directions, in the places where the attention
// expects whole ones.
#include "core/base/error.h"
#include "core/kernels/elementwise.h"
#include "core/nn/linear_op.h"

#include <algorithm>

namespace tamis::nn {

using kernels::ConstRows;
using kernels::Epilogue;
using kernels::PackedMatrix;
using kernels::Rows;
using tensor::Matrix;

namespace {
class SelectedOp final : public LinearOp {
public:
    SelectedOp(ConstRows weight, std::vector<std::int64_t> rows, std::vector<std::int64_t> columns, std::int64_t in, std::vector<float> bias)
        : LinearOp(std::move(bias)), m_weight(weight), m_rows(std::move(rows)), m_columns(std::move(columns)), m_in(in)
    {
    }
    std::string_view kind() const noexcept override { return "selected"; }
    std::int64_t inFeatures() const noexcept override { return m_in; }
    std::int64_t outFeatures() const noexcept override { return m_rows.empty() ? m_weight.rows() : static_cast<std::int64_t>(m_rows.size()); }
    std::int64_t rank() const noexcept override { return std::min(m_weight.rows(), m_weight.cols()); }
    OperatorCost cost() const noexcept override
    {
        const auto weights = static_cast<std::uint64_t>(m_weight.rows() * m_weight.cols());
        return {weights + m_bias.size(), 4 * (weights + m_bias.size()) + 8 * (m_rows.size() + m_columns.size()), weights};
    }
    void apply(ConstRows x, Epilogue epilogue, Rows y, Scratch& scratch) const override
    {
        Scratch::Frame frame(scratch);
        if (!m_columns.empty()) {
            const Rows gathered = frame.take(x.rows, m_weight.cols());
            for (std::int64_t i = 0; i < x.rows; ++i)
                for (std::int64_t j = 0; j < gathered.cols; ++j)
                    gathered(i, j) = x(i, m_columns[static_cast<std::size_t>(j)]);
            x = gathered;
        }
        if (m_rows.empty()) {
            epilogue.bias = biasOrNull();
            multiply(x, m_weight, epilogue, y, scratch.parallel());
            return;
        }
        const Rows product = frame.take(x.rows, m_weight.rows()), placed = frame.take(1, y.cols);
        multiply(x, m_weight, {}, product, scratch.parallel());
        for (std::int64_t i = 0; i < x.rows; ++i)
            place(product.row(i), epilogue, i, placed.row(0), y.row(i));
    }
    Matrix<float> dense() const override
    {
        const Matrix<float> weight = m_weight.unpack();
        Matrix<float> w(outFeatures(), m_in);
        for (std::int64_t i = 0; i < w.rows(); ++i) {
            const std::int64_t row = m_rows.empty() ? i : m_rows[static_cast<std::size_t>(i)] - 1;
            for (std::int64_t j = 0; row >= 0 && j < weight.cols(); ++j)
                w(i, m_columns.empty() ? j : m_columns[static_cast<std::size_t>(j)]) = weight(row, j);
        }
        return w;
    }
    std::vector<NamedTensor> tensors(const std::string& name) const override
    {
        const Matrix<float> weight = m_weight.unpack();
        std::vector<NamedTensor> all{{name + ".selected_weight", {weight.rows(), weight.cols()}, {weight.values().begin(), weight.values().end()}, {}}};
        if (!m_rows.empty())
            all.push_back({name + ".selected_rows", {static_cast<std::int64_t>(m_rows.size())}, {}, m_rows});
        if (!m_columns.empty())
            all.push_back({name + ".selected_columns", {static_cast<std::int64_t>(m_columns.size())}, {}, m_columns});
        if (!m_bias.empty())
            all.push_back(biasTensor(name));
        return all;
    }

private:
    /// One token's products to their outputs, then the epilogue, number by number.
    void place(std::span<const float> product, const Epilogue& epilogue, std::int64_t token, std::span<float> placed, std::span<float> y) const
    {
        for (std::size_t j = 0; j < y.size(); ++j)
            placed[j] = (m_rows[j] > 0 ? product[static_cast<std::size_t>(m_rows[j] - 1)] : 0.0f) + (m_bias.empty() ? 0.0f : m_bias[j]);
        kernels::activate(epilogue.activation, placed);
        for (std::size_t j = 0; j < y.size(); ++j) {
            const auto column = static_cast<std::int64_t>(j);
            const float factor = epilogue.factor.data ? epilogue.factor(token, column) : 1.0f, scale = epilogue.scale ? epilogue.scale[j] : 1.0f;
            y[j] = scale * placed[j] * factor + (epilogue.base.data ? epilogue.base(token, column) : 0.0f);
        }
    }

    PackedMatrix m_weight;
    std::vector<std::int64_t> m_rows, m_columns;
    std::int64_t m_in;
};

void require(bool holds, const std::string& sentence)
{
    if (!holds)
        throw Error(ErrorCode::InvalidParameter, sentence);
}
} // namespace

LinearPtr selectedOp(tensor::MatrixView<const float> weight, std::vector<std::int64_t> rows, std::vector<std::int64_t> columns, std::int64_t in, std::vector<float> bias)
{
    const auto out = rows.empty() ? weight.rows : static_cast<std::int64_t>(rows.size());
    require(weight.rows > 0 && weight.cols > 0, "a selected operator needs a weight");
    require(bias.empty() || static_cast<std::int64_t>(bias.size()) == out, "a bias of " + std::to_string(bias.size()) + " numbers does not fit " + std::to_string(out) + " outputs");
    require((columns.empty() ? in : static_cast<std::int64_t>(columns.size())) == weight.cols,
            std::to_string(columns.empty() ? in : static_cast<std::int64_t>(columns.size())) + " selected inputs do not fit a weight of " + std::to_string(weight.cols) + " columns");
    const auto once = [](const std::vector<std::int64_t>& indices, std::int64_t first, std::int64_t end, const char* what) {
        std::vector<bool> seen(static_cast<std::size_t>(end));
        for (const std::int64_t i : indices) {
            if (i == 0 && first == 1)
                continue; // an output of no row
            require(i >= first && i < end && !seen[static_cast<std::size_t>(i)], std::string("a selection names ") + what + " " + std::to_string(i) + " twice or beyond its end");
            seen[static_cast<std::size_t>(i)] = true;
        }
    };
    once(columns, 0, in, "input");
    once(rows, 1, weight.rows + 1, "row");
    return std::make_shared<SelectedOp>(weight, std::move(rows), std::move(columns), in, std::move(bias));
}

} // namespace tamis::nn
