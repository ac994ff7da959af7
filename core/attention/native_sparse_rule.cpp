// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/native_sparse_rule.h"

#include "core/attention/scalar_product.h"
#include "core/base/error.h"
#include "core/kernels/packed_matrix.h"
#include "core/linalg/float_product.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace tamis::attention {
namespace {
using kernels::ConstRows;
using kernels::Rows;
using linalg::floatProduct;
using linalg::Turn;

constexpr std::int64_t kCompressedBlock = 64; ///< compressed tokens in one piece of memory

std::int64_t compressedBy(const BlockSizes& sizes, std::int64_t tokens) { return tokens < sizes.compressed ? 0 : (tokens - sizes.compressed) / sizes.stride + 1; }

/// phi of rows [tokens, dim], which it overwrites; mean and MLP, or the mean alone.
void encode(const BlockEncoder& encoder, std::vector<float>& rows, std::int64_t tokens, std::int64_t dim, std::vector<float>& hidden, float* out)
{
    std::fill_n(out, dim, 0.0F);
    for (std::int64_t i = 0; i < tokens; ++i)
        for (std::int64_t j = 0; j < dim; ++j)
            out[j] += rows[static_cast<std::size_t>(i * dim + j)];
    for (std::int64_t j = 0; j < dim; ++j)
        out[j] /= static_cast<float>(tokens);
    if (encoder.empty())
        return;
    const std::int64_t width = tokens * dim, count = encoder.w1.rows();
    hidden.assign(encoder.b1.values().begin(), encoder.b1.values().end());
    for (std::int64_t i = 0; i < width; ++i)
        rows[static_cast<std::size_t>(i)] += encoder.positions(0, i);
    floatProduct(Turn::None, Turn::Transpose, 1, ConstRows{rows.data(), 1, width, width}, encoder.w1.view(), 1, Rows{hidden.data(), 1, count, count});
    for (float& value : hidden)
        value = value > 0 || std::isnan(value) ? value : 0.0F;
    for (std::int64_t j = 0; j < dim; ++j)
        out[j] += encoder.b2(0, j);
    floatProduct(Turn::None, Turn::Transpose, 1, ConstRows{hidden.data(), 1, count, count}, encoder.w2.view(), 1, Rows{out, 1, dim, dim});
}

void requireThat(bool holds, const std::string& message)
{
    if (!holds)
        throw Error(ErrorCode::InvalidParameter, message, "attention.native-sparse");
}
} // namespace

void check(const NativeSparseSettings& s)
{
    const auto text = [](std::int64_t value) { return std::to_string(value); };
    requireThat(s.sizes.stride >= 1 && s.sizes.compressed % s.sizes.stride == 0 && s.sizes.selected % s.sizes.stride == 0,
                "found blocks of " + text(s.sizes.compressed) + " and " + text(s.sizes.selected) + " tokens at a stride of " + text(s.sizes.stride) + ", expected multiples of the stride");
    requireThat(s.sizes.compressed >= 1 && s.sizes.compressed <= s.sizes.selected,
                "found compressed blocks of " + text(s.sizes.compressed) + " tokens, expected at most the " + text(s.sizes.selected) + " of a selected one");
    requireThat(s.forced.local >= 1 && s.forced.initial >= 0 && s.forced.initial + s.forced.local <= s.selected,
                "found " + text(s.forced.initial + s.forced.local) + " forced blocks, one of them the query's own, expected at most the " + text(s.selected) + " selected");
    requireThat(s.window >= 1, "found a window of " + text(s.window) + " tokens, expected one at least");
}

std::uint64_t NativeSparseWeights::count() const noexcept
{
    std::size_t numbers = gate.size() + gateBias.size();
    for (const BlockEncoder* encoder : {&key, &value})
        numbers += encoder->positions.size() + encoder->w1.size() + encoder->b1.size() + encoder->w2.size() + encoder->b2.size();
    return numbers;
}

void NativeSparseRule::gates(const float* x, float* gates) const
{
    for (std::int64_t i = 0; i < static_cast<std::int64_t>(kBranches) * heads; ++i) {
        if (fixedGates()) {
            gates[i] = static_cast<float>(settings.gates[static_cast<std::size_t>(i / heads)]);
            continue;
        }
        const float z = scalarProduct(x, weights.gate.data() + i * weights.gate.cols(), weights.gate.cols()) + weights.gateBias(0, i);
        gates[i] = 1 / (1 + std::exp(-z));
    }
}

std::array<std::int64_t, 2> windowOf(const NativeSparseRule& rule, std::int64_t query, std::int64_t tokens)
{
    const std::int64_t w = rule.settings.window;
    const std::int64_t begin = rule.causal ? std::max<std::int64_t>(0, query + 1 - w) : std::clamp<std::int64_t>(query - w / 2, 0, std::max<std::int64_t>(0, tokens - w));
    return {begin, rule.causal ? query + 1 : std::min(tokens, begin + w)};
}

NativeSparseReads predictedReads(const NativeSparseRule& rule, std::int64_t query, std::int64_t tokens)
{
    const NativeSparseSettings& s = rule.settings;
    const std::int64_t seen = rule.causal ? query + 1 : tokens, block = s.sizes.selected;
    const bool fixed = rule.fixedGates();
    const auto reads = [&](Branch branch) { return !fixed || s.gates[branch] != 0; };
    NativeSparseReads predicted;
    if (reads(kCompression))
        predicted.compressed = compressedBy(s.sizes, seen);
    else if (reads(kSelection))
        predicted.compressed = (compressedBy(s.sizes, seen) + 1) / 2; // keys alone, to choose by
    if (reads(kSelection)) {
        const std::int64_t blocks = (seen + block - 1) / block;
        // causal: the last of the blocks, the query's own, is read and is not full
        predicted.selected = blocks <= s.selected ? seen : rule.causal ? s.selected * block - (blocks * block - seen) : s.selected * block;
    }
    if (reads(kWindow))
        predicted.window = std::min(s.window, seen);
    return predicted;
}

std::uint64_t predictedMacs(const NativeSparseRule& rule, std::int64_t query, std::int64_t tokens)
{
    const std::uint64_t gates = rule.fixedGates() ? 0 : static_cast<std::uint64_t>(rule.weights.gate.rows() * rule.weights.gate.cols());
    return static_cast<std::uint64_t>(2 * rule.heads * rule.dim * predictedReads(rule, query, tokens).total()) + gates;
}

std::uint64_t compressionMacs(const NativeSparseRule& rule, std::int64_t tokens)
{
    std::size_t one = 0;
    for (const BlockEncoder* encoder : {&rule.weights.key, &rule.weights.value})
        one += encoder->w1.size() + encoder->w2.size();
    return static_cast<std::uint64_t>(rule.keyValueHeads * compressedBy(rule.settings.sizes, tokens)) * one;
}

NativeSparseHead::NativeSparseHead(std::shared_ptr<const NativeSparseRule> rule)
    : m_rule(std::move(rule)), m_group(m_rule->heads / m_rule->keyValueHeads), m_cache(m_rule->dim, m_rule->dim, m_rule->settings.sizes.selected),
      m_compressed(m_rule->dim, m_rule->dim, kCompressedBlock), m_block(static_cast<std::size_t>(m_rule->settings.sizes.compressed * m_rule->dim)),
      m_key(static_cast<std::size_t>(m_rule->dim)), m_value(static_cast<std::size_t>(m_rule->dim))
{
    for (auto& gates : m_gates)
        gates.resize(static_cast<std::size_t>(m_group));
}

void NativeSparseHead::append(const float* key, const float* value)
{
    m_cache.append(key, value);
    const BlockSizes& sizes = m_rule->settings.sizes;
    if (m_cache.tokens() >= sizes.compressed && (m_cache.tokens() - sizes.compressed) % sizes.stride == 0)
        compress();
}

void NativeSparseHead::compress()
{
    const std::int64_t tokens = m_rule->settings.sizes.compressed, first = m_cache.tokens() - tokens, dim = m_rule->dim;
    for (std::int64_t i = 0; i < tokens; ++i)
        m_cache.readKey(first + i, m_block.data() + i * dim);
    encode(m_rule->weights.key, m_block, tokens, dim, m_hidden, m_key.data());
    for (std::int64_t i = 0; i < tokens; ++i)
        m_cache.readValue(first + i, m_block.data() + i * dim);
    encode(m_rule->weights.value, m_block, tokens, dim, m_hidden, m_value.data());
    m_compressed.append(m_key.data(), m_value.data());
}

bool NativeSparseHead::used(Branch branch) const noexcept
{
    return !m_rule->fixedGates() || m_rule->settings.gates[branch] != 0;
}

void NativeSparseHead::placeGates(const float* gates, bool compressed)
{
    for (std::size_t branch = 0; branch < kBranches; ++branch)
        std::copy_n(gates + static_cast<std::int64_t>(branch) * m_rule->heads, m_group, m_gates[branch].begin());
    if (compressed || !m_rule->fixedGates())
        return;
    const auto& fixed = m_rule->settings.gates;
    const double others = fixed[kSelection] + fixed[kWindow], share = others > 0 ? (others + fixed[kCompression]) / others : 1;
    for (const Branch branch : {kSelection, kWindow})
        std::ranges::fill(m_gates[branch], static_cast<float>(fixed[branch] * share));
    std::ranges::fill(m_gates[kCompression], 0.0F);
}

void NativeSparseHead::choose(std::int64_t query)
{
    const NativeSparseSettings& s = m_rule->settings;
    const std::int64_t seen = m_rule->causal ? query + 1 : tokens();
    m_summed.assign(static_cast<std::size_t>(compressedBy(s.sizes, seen)), 0.0F);
    for (std::int64_t row = 0; row < m_group; ++row)
        for (std::size_t i = 0; i < m_segments[kCompression].size(); ++i) {
            const Segment& segment = m_segments[kCompression][i];
            kernels::kernels().add(m_attention[kCompression].probabilities(row, i, segment.skip), m_summed.data() + segment.first, segment.count);
        }
    m_importance.resize(static_cast<std::size_t>((seen + s.sizes.selected - 1) / s.sizes.selected));
    blockImportance(s.sizes, s.overlap, m_summed, m_importance);
    chooseBlocks(m_importance, query / s.sizes.selected, m_rule->causal, s.forced, s.selected, m_chosen);
}

void NativeSparseHead::attend(const float* q, std::int64_t query, const float* gates, float* out)
{
    const NativeSparseSettings& s = m_rule->settings;
    const std::int64_t dim = m_rule->dim, seen = m_rule->causal ? query + 1 : tokens();
    const std::int64_t compressed = used(kCompression) || used(kSelection) ? compressedBy(s.sizes, seen) : 0;
    placeGates(gates, compressedBy(s.sizes, seen) > 0);
    std::fill_n(out, m_group * dim, 0.0F);
    for (auto& segments : m_segments)
        segments.clear();
    m_chosen.clear();
    m_importance.clear();
    const auto answer = [&](Branch branch, const PanelCache& cache) {
        m_attention[branch].mix(m_segments[branch], cache, m_gates[branch].data(), out, dim);
    };
    addSegments(m_compressed, 0, compressed, m_segments[kCompression]);
    m_attention[kCompression].setQueries(q, dim, m_group, dim, m_rule->scale);
    m_attention[kCompression].score(m_segments[kCompression]);
    if (used(kCompression))
        answer(kCompression, m_compressed);
    if (used(kSelection)) {
        choose(query);
        for (const std::int64_t block : m_chosen)
            addSegments(m_cache, block * s.sizes.selected, std::min(seen, (block + 1) * s.sizes.selected), m_segments[kSelection]);
    }
    if (used(kWindow)) {
        const auto [begin, end] = windowOf(*m_rule, query, seen);
        addSegments(m_cache, begin, end, m_segments[kWindow]);
    }
    for (const Branch branch : {kSelection, kWindow}) {
        if (!used(branch))
            continue;
        m_attention[branch].setQueries(q, dim, m_group, dim, m_rule->scale);
        m_attention[branch].score(m_segments[branch]);
        answer(branch, m_cache);
    }
    m_reads = {used(kCompression) ? compressed : (compressed + 1) / 2, tokensOf(m_segments[kSelection]), tokensOf(m_segments[kWindow])};
}

void NativeSparseHead::addMap(std::int64_t row, float* map) const
{
    const BlockSizes& sizes = m_rule->settings.sizes;
    for (std::size_t branch = 0; branch < kBranches; ++branch) {
        const auto kind = static_cast<Branch>(branch);
        if (!used(kind))
            continue;
        const std::int64_t tokens = kind == kCompression ? sizes.compressed : 1, stride = kind == kCompression ? sizes.stride : 1;
        for (std::size_t i = 0; i < m_segments[branch].size(); ++i) {
            const Segment& segment = m_segments[branch][i];
            const float* p = m_attention[branch].probabilities(row, i, segment.skip);
            for (std::int64_t j = 0; j < segment.count; ++j)
                for (std::int64_t t = 0; t < tokens; ++t)
                    map[(segment.first + j) * stride + t] += gate(kind, row) * p[j] / static_cast<float>(tokens);
        }
    }
}

} // namespace tamis::attention
