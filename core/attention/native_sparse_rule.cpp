// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/native_sparse_rule.h"

#include "core/attention/row_scan.h"
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
        gates.resize(static_cast<std::size_t>(queriesTogether() * m_group));
    m_queries.resize(static_cast<std::size_t>(queriesTogether()));
}

void NativeSparseHead::append(const float* key, const float* value)
{
    m_cache.append(key, value);
    m_strange = m_strange || !allNumbers(value, m_rule->dim);
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
    m_strange = m_strange || !allNumbers(m_value.data(), dim);
}

bool NativeSparseHead::used(Branch branch) const noexcept
{
    return !m_rule->fixedGates() || m_rule->settings.gates[branch] != 0;
}

void NativeSparseHead::placeGates(const float* gates, bool compressed, std::size_t at)
{
    const auto first = static_cast<std::ptrdiff_t>(at) * m_group;
    for (std::size_t branch = 0; branch < kBranches; ++branch)
        std::copy_n(gates + static_cast<std::int64_t>(branch) * m_rule->heads, m_group, m_gates[branch].begin() + first);
    if (compressed || !m_rule->fixedGates())
        return;
    const auto& fixed = m_rule->settings.gates;
    const double others = fixed[kSelection] + fixed[kWindow], share = others > 0 ? (others + fixed[kCompression]) / others : 1;
    for (const Branch branch : {kSelection, kWindow})
        std::fill_n(m_gates[branch].begin() + first, m_group, static_cast<float>(fixed[branch] * share));
    std::fill_n(m_gates[kCompression].begin() + first, m_group, 0.0F);
}

/// Probabilities of the compressed keys that each query sees.
void NativeSparseHead::readCompressed(const float* q, std::int64_t queryStride)
{
    const BlockSizes& sizes = m_rule->settings.sizes;
    const std::int64_t dim = m_rule->dim;
    auto& segments = m_segments[kCompression];
    SegmentAttention& attention = m_attention[kCompression];
    segments.clear();
    addSegments(m_compressed, 0, used(kCompression) || used(kSelection) ? compressedBy(sizes, m_queries[m_count - 1].seen) : 0, segments);
    attention.setQueries(q, queryStride, static_cast<std::int64_t>(m_count), dim, m_group, dim, m_rule->scale);
    attention.multiply(segments);
    for (std::size_t at = 0; at < m_count; ++at) {
        auto& pieces = m_queries[at].pieces[kCompression];
        addPieces(segments, 0, compressedBy(sizes, m_queries[at].seen), pieces);
        for (std::int64_t row = 0; row < m_group; ++row)
            attention.normalise(segments, static_cast<std::int64_t>(at) * m_group + row, pieces);
    }
}

void NativeSparseHead::choose(Query& query, std::size_t at)
{
    const NativeSparseSettings& s = m_rule->settings;
    m_summed.assign(static_cast<std::size_t>(compressedBy(s.sizes, query.seen)), 0.0F);
    for (std::int64_t row = 0; row < m_group; ++row)
        for (const Piece& piece : query.pieces[kCompression])
            kernels::kernels().add(m_attention[kCompression].probabilities(static_cast<std::int64_t>(at) * m_group + row, piece.segment, piece.skip),
                                   m_summed.data() + m_segments[kCompression][piece.segment].first, piece.count);
    query.importance.resize(static_cast<std::size_t>((query.seen + s.sizes.selected - 1) / s.sizes.selected));
    blockImportance(s.sizes, s.overlap, m_summed, query.importance);
    chooseBlocks(query.importance, query.token / s.sizes.selected, m_rule->causal, s.forced, s.selected, query.chosen);
}

/// What the queries read of the tokens, all together, and what each reads of that.
void NativeSparseHead::findSegments(Branch branch)
{
    const std::int64_t size = m_rule->settings.sizes.selected, last = m_queries[m_count - 1].seen;
    auto& segments = m_segments[branch];
    if (branch == kWindow) {
        const auto window = [this](std::size_t at) { return windowOf(*m_rule, m_queries[at].token, m_queries[at].seen); };
        addSegments(m_cache, window(0)[0], window(m_count - 1)[1], segments); // neither end goes back from query to query
        for (std::size_t at = 0; at < m_count; ++at)
            addPieces(segments, window(at)[0], window(at)[1], m_queries[at].pieces[branch]);
        return;
    }
    m_blocks.clear();
    for (std::size_t at = 0; at < m_count; ++at)
        m_blocks.insert(m_blocks.end(), m_queries[at].chosen.begin(), m_queries[at].chosen.end());
    if (m_count > 1) {
        std::ranges::sort(m_blocks);
        m_blocks.erase(std::ranges::unique(m_blocks).begin(), m_blocks.end());
    }
    for (const std::int64_t block : m_blocks)
        addSegments(m_cache, block * size, std::min(last, (block + 1) * size), segments);
    for (std::size_t at = 0; at < m_count; ++at) {
        Query& query = m_queries[at];
        auto& pieces = query.pieces[branch];
        auto chosen = query.chosen.begin();
        for (std::size_t s = 0; s < segments.size() && chosen != query.chosen.end(); ++s) {
            const Segment& segment = segments[s];
            while (chosen != query.chosen.end() && (*chosen + 1) * size <= segment.first)
                ++chosen;
            if (chosen != query.chosen.end() && *chosen * size <= segment.first && segment.first < query.seen)
                pieces.push_back({s, segment.skip, std::min(segment.count, query.seen - segment.first)});
        }
    }
}

/// Multiply-adds of all queries by all that is read against those of each by its own.
bool NativeSparseHead::takesLonger() const
{
    std::int64_t together = 0, each = 0;
    for (const Branch branch : {kSelection, kWindow}) {
        together += static_cast<std::int64_t>(m_count) * tokensOf(m_segments[branch]);
        for (std::size_t at = 0; at < m_count; ++at)
            for (const Piece& piece : m_queries[at].pieces[branch])
                each += piece.count;
    }
    return together > kTimesAsMany * each;
}

bool NativeSparseHead::answer(const float* q, std::int64_t queryStride, std::int64_t first, std::int64_t count, const float* gates, std::int64_t gateStride, float* out, std::int64_t stride)
{
    const NativeSparseSettings& s = m_rule->settings;
    const std::int64_t dim = m_rule->dim;
    m_count = static_cast<std::size_t>(count);
    for (std::size_t at = 0; at < m_count; ++at) {
        Query& query = m_queries[at];
        query.token = first + static_cast<std::int64_t>(at);
        query.seen = m_rule->causal ? query.token + 1 : tokens();
        query.chosen.clear();
        query.importance.clear();
        for (auto& pieces : query.pieces)
            pieces.clear();
        placeGates(gates + static_cast<std::int64_t>(at) * gateStride, compressedBy(s.sizes, query.seen) > 0, at);
    }
    for (auto& segments : m_segments)
        segments.clear();
    readCompressed(q, queryStride);
    if (used(kSelection)) {
        for (std::size_t at = 0; at < m_count; ++at)
            choose(m_queries[at], at);
        findSegments(kSelection);
    }
    if (used(kWindow))
        findSegments(kWindow);
    if (count > 1 && takesLonger())
        return false;
    for (std::int64_t at = 0; at < count && out; ++at)
        std::fill_n(out + at * stride, m_group * dim, 0.0F);
    if (used(kCompression) && out)
        m_attention[kCompression].mix(m_segments[kCompression], m_compressed, m_gates[kCompression].data(), out, stride, dim, m_group);
    for (const Branch branch : {kSelection, kWindow}) {
        if (!used(branch))
            continue;
        m_attention[branch].setQueries(q, queryStride, count, dim, m_group, dim, m_rule->scale);
        m_attention[branch].multiply(m_segments[branch]);
        for (std::size_t at = 0; at < m_count; ++at)
            for (std::int64_t row = 0; row < m_group; ++row)
                m_attention[branch].normalise(m_segments[branch], static_cast<std::int64_t>(at) * m_group + row, m_queries[at].pieces[branch]);
        if (out)
            m_attention[branch].mix(m_segments[branch], m_cache, m_gates[branch].data(), out, stride, dim, m_group);
    }
    for (std::size_t at = 0; at < m_count; ++at) {
        Query& query = m_queries[at];
        const auto read = [&](Branch branch) {
            std::int64_t sum = 0;
            for (const Piece& piece : query.pieces[branch])
                sum += piece.count;
            return sum;
        };
        const std::int64_t compressed = read(kCompression);
        query.reads = {used(kCompression) ? compressed : (compressed + 1) / 2, read(kSelection), read(kWindow)};
    }
    return true;
}

void NativeSparseHead::attend(const float* q, std::int64_t query, const float* gates, float* out)
{
    answer(q, 0, query, 1, gates, 0, out, 0);
}

bool NativeSparseHead::attendTogether(ConstRows q, std::int64_t firstQuery, ConstRows gates, Rows out)
{
    // a window that begins within a long block is cut elsewhere when it is read from another token on: its sums would be others
    if (m_strange || q.rows > queriesTogether() || m_cache.blockTokens() > kernels::kTileDepth - kernels::kPanelWidth)
        return false;
    return answer(q.data, q.stride, firstQuery, q.rows, gates.data, gates.stride, out.data, out.stride);
}

void NativeSparseHead::addMap(std::int64_t row, float* map, std::size_t at) const
{
    const BlockSizes& sizes = m_rule->settings.sizes;
    for (std::size_t branch = 0; branch < kBranches; ++branch) {
        const auto kind = static_cast<Branch>(branch);
        if (!used(kind))
            continue;
        const std::int64_t tokens = kind == kCompression ? sizes.compressed : 1, stride = kind == kCompression ? sizes.stride : 1;
        const float factor = gate(kind, row, at) / static_cast<float>(tokens);
        for (const Piece& piece : m_queries[at].pieces[branch]) {
            const Segment& segment = m_segments[branch][piece.segment];
            const float* p = m_attention[branch].probabilities(static_cast<std::int64_t>(at) * m_group + row, piece.segment, piece.skip);
            float* to = map + (segment.first + piece.skip - segment.skip) * stride;
            if (kind != kCompression) {
                addTimes(factor, p, to, piece.count);
                continue;
            }
            for (std::int64_t j = 0; j < piece.count; ++j)
                addNumber(factor * p[j], to + j * stride, tokens);
        }
    }
}

} // namespace tamis::attention
