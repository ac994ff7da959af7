// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Attention that follows changes of some tokens: scores are renewed in the rows and columns of changed queries and keys, and the mixed values by their
// differences (Dutson, Li, Gupta, "Eventful Transformers", ICCV 2023, section 4.3: token-wise products and the delta gate before A V).
#include "core/kernels/packed_matrix.h"
#include "core/nn/model_spec.h"
#include "core/tensor/matrix.h"

#include <cstdint>
#include <span>
#include <vector>

namespace tamis::reuse {

/// The attention of one block over one sequence of frames. Holds queries, keys and values of all tokens, the scores S = scale q k^T of every head, the
/// reference P of their softmax and the product P v. What holds after every update, to rounding:
///   S = scale q k^T of the q and k that are held;
///   P(:, j) = softmax(S)(:, j) as it was when token j was given last (a delta gate by columns, forced to the tokens of v);
///   mixed = P v of the v that are held.
/// Not thread-safe; spreads over heads where it is told that it may.
class PartialAttention {
public:
    PartialAttention(const nn::AttentionSpec& spec, std::int64_t tokens);

    /// Rows `qkv` [n, queries + 2 keys] of the tokens `rows` (ascending, [n]) replace those held. The first call must give all tokens.
    void update(kernels::ConstRows qkv, std::span<const std::int32_t> rows, bool parallel);
    kernels::ConstRows mixed() const noexcept { return m_mixed.view(); } ///< [tokens, heads * headDim]
    /// Multiply-adds of the last update.
    double macs() const noexcept { return m_macs; }
    /// Floats held for `tokens`.
    static double floats(const nn::AttentionSpec& spec, std::int64_t tokens) noexcept;

    kernels::ConstRows qkv() const noexcept { return m_qkv.view(); }
    kernels::ConstRows scores(std::int64_t head) const noexcept { return m_scores[static_cast<std::size_t>(head)].view(); }
    kernels::ConstRows reference(std::int64_t head) const noexcept { return m_reference[static_cast<std::size_t>(head)].view(); }

private:
    void updateHead(std::int64_t head, kernels::ConstRows oldValues, std::span<const std::int32_t> rows);
    nn::AttentionSpec m_spec;
    std::int64_t m_tokens;
    tensor::Matrix<float> m_qkv, m_mixed;
    std::vector<tensor::Matrix<float>> m_scores, m_reference; ///< [heads] of [tokens, tokens]
    double m_macs = 0;
    bool m_started = false;
};

} // namespace tamis::reuse
