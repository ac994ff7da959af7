// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/reuse/partial_attention.h"

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/kernels/elementwise.h"
#include "core/linalg/float_product.h"
#include "core/reuse/token_model.h"

#include <algorithm>

namespace tamis::reuse {

using kernels::ConstRows;
using kernels::Rows;
using linalg::Turn;

namespace {
ConstRows columnsOf(ConstRows x, std::int64_t first, std::int64_t count) { return {x.data + first, x.rows, count, x.stride}; }
} // namespace

PartialAttention::PartialAttention(const nn::AttentionSpec& spec, std::int64_t tokens)
    : m_spec(spec), m_tokens(tokens), m_qkv(tokens, (spec.heads + 2 * spec.keyValueHeads) * spec.headDim), m_mixed(tokens, spec.heads * spec.headDim)
{
    for (auto* matrices : {&m_scores, &m_reference})
        for (std::int64_t head = 0; head < spec.heads; ++head)
            matrices->emplace_back(tokens, tokens);
}

double PartialAttention::floats(const nn::AttentionSpec& spec, std::int64_t tokens) noexcept
{
    const auto n = static_cast<double>(tokens), heads = static_cast<double>(spec.heads), d = static_cast<double>(spec.headDim);
    return n * (2 * heads * n + (2 * heads + 2 * static_cast<double>(spec.keyValueHeads)) * d);
}

void PartialAttention::updateHead(std::int64_t head, ConstRows oldValues, std::span<const std::int32_t> rows)
{
    const std::int64_t d = m_spec.headDim, n = m_tokens, changed = static_cast<std::int64_t>(rows.size()), keyHead = head / (m_spec.heads / m_spec.keyValueHeads);
    const ConstRows q = columnsOf(m_qkv.view(), head * d, d), k = columnsOf(m_qkv.view(), (m_spec.heads + keyHead) * d, d), v = columnsOf(m_qkv.view(), (m_spec.heads + m_spec.keyValueHeads + keyHead) * d, d);
    const Rows scores = m_scores[static_cast<std::size_t>(head)].view(), reference = m_reference[static_cast<std::size_t>(head)].view(), mixed{m_mixed.data() + head * d, n, d, m_mixed.cols()};
    const bool whole = !m_started || 2 * changed >= n; // renewing all costs no more
    tensor::Matrix<float> columns, left, row(1, n);
    if (whole) {
        linalg::floatProduct(Turn::None, Turn::Transpose, m_spec.scale, q, k, 0, scores);
    } else {
        tensor::Matrix<float> part(changed, d), product(changed, n);
        gatherRows(q, rows, part.view());
        linalg::floatProduct(Turn::None, Turn::Transpose, m_spec.scale, part.view(), k, 0, product.view());
        scatterRows(product.view(), rows, scores);
        gatherRows(k, rows, part.view());
        columns = tensor::Matrix<float>(n, changed);
        linalg::floatProduct(Turn::None, Turn::Transpose, m_spec.scale, q, part.view(), 0, columns.view());
        left = tensor::Matrix<float>(n, 2 * changed);
    }
    for (std::int64_t i = 0; i < n; ++i) {
        float *score = scores.data + i * scores.stride, *held = reference.data + i * reference.stride, *fresh = row.data();
        const std::int32_t* token = rows.data();
        if (!whole)
            for (std::int64_t j = 0; j < changed; ++j)
                score[token[j]] = columns(i, j);
        std::copy_n(score, n, fresh);
        kernels::softmaxRow(row.values());
        float* parts = whole ? nullptr : left.data() + i * left.cols();
        for (std::int64_t j = 0; j < changed; ++j) {
            if (parts) {
                parts[j] = fresh[token[j]];
                parts[changed + j] = fresh[token[j]] - held[token[j]];
            }
            held[token[j]] = fresh[token[j]];
        }
    }
    if (whole)
        return linalg::floatProduct(Turn::None, Turn::None, 1, reference, v, 0, mixed);
    // P' v' = P v + P'(:, M) (v' - v)(M) + (P' - P)(:, M) v(M) for the tokens M
    tensor::Matrix<float> right(2 * changed, d);
    for (std::int64_t j = 0; j < changed; ++j)
        for (std::int64_t f = 0; f < d; ++f) {
            const float before = oldValues(j, keyHead * d + f);
            right(j, f) = v(rows[static_cast<std::size_t>(j)], f) - before;
            right(changed + j, f) = before;
        }
    linalg::floatProduct(Turn::None, Turn::None, 1, left.view(), right.view(), 1, mixed);
}

void PartialAttention::update(ConstRows qkv, std::span<const std::int32_t> rows, bool parallel)
{
    const auto changed = static_cast<std::int64_t>(rows.size());
    if (qkv.rows != changed || qkv.cols != m_qkv.cols() || (!m_started && changed != m_tokens))
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(qkv.rows) + " rows of " + std::to_string(qkv.cols) + " features for " + std::to_string(changed) + " changed tokens, expected " +
                                                     std::to_string(m_qkv.cols()) + " features" + (m_started ? "" : " and all " + std::to_string(m_tokens) + " tokens first"));
    m_macs = 0;
    if (changed == 0)
        return;
    const std::int64_t keys = m_spec.keyValueHeads * m_spec.headDim;
    tensor::Matrix<float> oldValues(changed, keys);
    gatherRows(columnsOf(m_qkv.view(), m_qkv.cols() - keys, keys), rows, oldValues.view());
    scatterRows(qkv, rows, m_qkv.view());
    const auto each = [&](std::size_t head) { updateHead(static_cast<std::int64_t>(head), oldValues.view(), rows); };
    if (parallel) {
        parallelFor({}, static_cast<std::size_t>(m_spec.heads), each);
    } else {
        for (std::size_t head = 0; head < static_cast<std::size_t>(m_spec.heads); ++head)
            each(head);
    }
    const double columns = 2 * changed >= m_tokens || !m_started ? static_cast<double>(m_tokens) : 2 * static_cast<double>(changed);
    m_macs = 2 * static_cast<double>(m_tokens) * columns * static_cast<double>(m_spec.heads * m_spec.headDim);
    m_started = true;
}

} // namespace tamis::reuse
