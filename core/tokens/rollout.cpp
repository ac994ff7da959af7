// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/rollout.h"

#include "core/kernels/packed_matrix.h"
#include "core/tensor/transpose.h"

#include <algorithm>
#include <limits>

namespace tamis::tokens {

Rollout::Rollout(const TokenSet& set) : m_rows(set.tokens(), static_cast<std::int64_t>(set.row.size()))
{
    for (std::int64_t source = 0; source < m_rows.cols(); ++source)
        if (const std::int32_t row = set.row[static_cast<std::size_t>(source)]; row >= 0)
            m_rows(row, source) = 1.0f / set.sizes[static_cast<std::size_t>(row)];
}

void Rollout::follow(const nn::Block& layer, const nn::AttentionInput& input, nn::Scratch& scratch)
{
    const std::int64_t heads = layer.attention->heads();
    tensor::Matrix<float> mean(m_rows.rows(), m_rows.rows());
    for (std::int64_t head = 0; head < heads; ++head) {
        scratch.context().throwIfStopped();
        const tensor::Matrix<float> map = layer.attention->map(input, head, 0, scratch.context());
        for (std::size_t i = 0; i < mean.size(); ++i)
            mean.values()[i] += map.values()[i];
    }
    for (float& value : mean.values())
        value *= 0.5f / static_cast<float>(heads);
    for (std::int64_t i = 0; i < mean.rows(); ++i)
        mean(i, i) += 0.5f;
    const tensor::Matrix<float> columns = tensor::transposed(m_rows);
    kernels::multiply(mean.view(), kernels::PackedMatrix(columns.view()), {}, m_rows.view(), scratch.parallel());
}

void Rollout::reduce(const Assignment& a, const std::vector<float>& sizes)
{
    const std::vector<float>& weights = a.weights.empty() ? sizes : a.weights;
    tensor::Matrix<float> next(a.count, m_rows.cols());
    std::vector<float> totals(static_cast<std::size_t>(a.count));
    for (std::size_t i = 0; i < a.to.size(); ++i)
        if (const std::int32_t to = a.to[i]; to >= 0) {
            totals[static_cast<std::size_t>(to)] += weights[i];
            for (std::int64_t j = 0; j < next.cols(); ++j)
                next(to, j) += weights[i] * m_rows(static_cast<std::int64_t>(i), j);
        }
    for (std::int64_t i = 0; i < next.rows(); ++i)
        for (float& value : next.view().row(i))
            value /= std::max(totals[static_cast<std::size_t>(i)], std::numeric_limits<float>::min());
    m_rows = std::move(next);
}

} // namespace tamis::tokens
