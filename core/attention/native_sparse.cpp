// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/native_sparse.h"

#include "core/attention/block_map.h"
#include "core/attention/native_sparse_on_tape.h"
#include "core/base/error.h"
#include "core/base/parallel.h"

#include <bit>
#include <algorithm>
#include <string>

namespace tamis::attention {
namespace {
using kernels::ConstRows;
using kernels::Rows;
constexpr std::int64_t kApart = 8; ///< tasks of queries one by one before they are tried together again

class NativeSparse final : public nn::AttentionOp, public SparseReader {
public:
    explicit NativeSparse(std::shared_ptr<const NativeSparseRule> rule) : m_rule(std::move(rule)) {}
    std::string_view kind() const noexcept override { return "native-sparse"; }
    std::int64_t heads() const noexcept override { return m_rule->heads; }
    std::int64_t headDim() const noexcept override { return m_rule->dim; }
    nn::AttentionCost cost(std::int64_t tokens) const noexcept override
    {
        nn::AttentionCost cost{m_rule->weights.count(), compressionMacs(*m_rule, tokens), 0};
        for (std::int64_t query = 0; query < tokens; ++query)
            cost.macs += predictedMacs(*m_rule, query, tokens);
        const std::int64_t compressed = tokens / m_rule->settings.sizes.stride, most = predictedReads(*m_rule, std::max<std::int64_t>(0, tokens - 1), tokens).total();
        const std::int64_t group = m_rule->heads / m_rule->keyValueHeads;
        cost.liveFloats = static_cast<std::uint64_t>(m_rule->keyValueHeads * (2 * m_rule->dim * (tokens + compressed) + group * most) + 3 * m_rule->heads * tokens);
        return cost;
    }
    void apply(const nn::AttentionInput& input, Rows out, nn::Scratch& scratch) const override
    {
        require(input);
        nn::Scratch::Frame frame(scratch);
        const Rows gates = gatesOf(input, frame);
        const std::int64_t width = m_rule->heads / m_rule->keyValueHeads * m_rule->dim;
        const auto one = [&](std::int64_t keyHead) {
            run(input, keyHead, gates, true, scratch.context(), [&](const NativeSparseHead&, std::int64_t query, std::size_t, const float* row) {
                std::copy_n(row, width, out.data + query * out.stride + keyHead * width);
            });
        };
        if (scratch.parallel())
            parallelFor(scratch.context(), static_cast<std::size_t>(m_rule->keyValueHeads), [&](std::size_t keyHead) { one(static_cast<std::int64_t>(keyHead)); });
        else
            for (std::int64_t keyHead = 0; keyHead < m_rule->keyValueHeads; ++keyHead)
                one(keyHead);
    }
    std::int64_t maps(std::int64_t) const noexcept override { return 1; }
    std::int64_t mapTokens(std::int64_t tokens) const noexcept override { return tokens; }
    /// Rows sum to what the gates sum to. Where values are compressed by a learned phi, which is not linear, a compressed token's weight is spread evenly over its tokens.
    tensor::Matrix<float> map(const nn::AttentionInput& input, std::int64_t head, std::int64_t, const RunContext& context) const override
    {
        tensor::Matrix<float> map(input.q.rows, input.q.rows);
        walk(input, head, context, [&](const NativeSparseHead& state, std::int64_t query, std::size_t at, std::int64_t row) { state.addMap(row, map.data() + query * map.cols(), at); });
        return map;
    }
    report::BlockMap blockMap(const nn::AttentionInput& input, std::int64_t head, const RunContext& context) const override
    {
        const std::int64_t tokens = input.q.rows, size = m_rule->settings.sizes.selected, blocks = (tokens + size - 1) / size;
        report::BlockMap result{.queries = tokens, .blocks = blocks, .blockTokens = size};
        result.selected.assign(static_cast<std::size_t>(tokens * blocks), 0);
        result.scores.assign(static_cast<std::size_t>(tokens * blocks), 0.0F);
        walk(input, head, context, [&](const NativeSparseHead& state, std::int64_t query, std::size_t at, std::int64_t row) {
            for (const std::int64_t block : state.chosen(at))
                result.selected[static_cast<std::size_t>(query * blocks + block)] = 1;
            std::ranges::copy(state.importance(at), result.scores.begin() + query * blocks);
            for (const Branch branch : {kCompression, kSelection, kWindow})
                result.gates.push_back(state.gate(branch, row, at));
            result.tokensRead.push_back(state.reads(at).total());
        });
        return result;
    }

private:
    void require(const nn::AttentionInput& input) const
    {
        if (input.keyBias)
            throw Error(ErrorCode::UnsupportedFeature, "found a weight on the keys (merged tokens), expected none: only exact attention takes it", "attention.native-sparse");
        if (!m_rule->fixedGates() && (input.x.rows != input.q.rows || input.x.cols != m_rule->weights.gate.cols()))
            throw Error(ErrorCode::InvalidParameter,
                        "found rows of " + std::to_string(input.x.cols) + " features for the gates, expected the " + std::to_string(m_rule->weights.gate.cols()) + " that queries are projected from", "attention.native-sparse");
    }
    Rows gatesOf(const nn::AttentionInput& input, nn::Scratch::Frame& frame) const
    {
        const Rows gates = frame.take(input.q.rows, static_cast<std::int64_t>(kBranches) * m_rule->heads);
        for (std::int64_t i = 0; i < gates.rows; ++i)
            m_rule->gates(m_rule->fixedGates() ? nullptr : input.x.data + i * input.x.stride, gates.data + i * gates.stride);
        return gates;
    }
    /// each(state, query, which of the state's queries that is, row of the group, mixed if that is wanted) for all queries.
    template <class Each> void run(const nn::AttentionInput& input, std::int64_t keyHead, ConstRows gates, bool mixed, const RunContext& context, const Each& each) const
    {
        NativeSparseHead state(m_rule);
        const std::int64_t d = m_rule->dim, group = m_rule->heads / m_rule->keyValueHeads, tokens = input.q.rows, most = state.queriesTogether();
        for (std::int64_t token = 0; token < tokens; ++token)
            state.append(input.k.data + token * input.k.stride + keyHead * d, input.v.data + token * input.v.stride + keyHead * d);
        const ConstRows q{input.q.data + keyHead * group * d, tokens, group * d, input.q.stride};
        std::vector<float> rows(static_cast<std::size_t>(most * group * d));
        for (std::int64_t first = 0, count = 0, apart = 0; first < tokens; first += count) { // before `apart`, queries are not tried together: they just read too unlike tokens
            context.throwIfStopped();
            count = std::min(most, tokens - first);
            const ConstRows own{q.data + first * q.stride, count, q.cols, q.stride}, gate{gates.data + first * gates.stride + keyHead * group, count, group, gates.stride};
            const bool together = first >= apart && state.attendTogether(own, first, gate, {mixed ? rows.data() : nullptr, count, group * d, group * d});
            if (!together && first >= apart)
                apart = first + kApart * most;
            for (std::int64_t at = 0; at < count; ++at) {
                if (!together)
                    state.attend(own.data + at * own.stride, first + at, gate.data + at * gate.stride, mixed ? rows.data() + at * group * d : nullptr);
                each(state, first + at, together ? static_cast<std::size_t>(at) : 0, rows.data() + at * group * d);
            }
        }
    }
    /// each(state, query, which of the state's queries that is, row of `head` in its group).
    template <class Each> void walk(const nn::AttentionInput& input, std::int64_t head, const RunContext& context, const Each& each) const
    {
        require(input);
        nn::Scratch scratch(false, RunContext(context.stopToken()));
        nn::Scratch::Frame frame(scratch);
        const Rows gates = gatesOf(input, frame);
        const std::int64_t group = m_rule->heads / m_rule->keyValueHeads;
        run(input, head / group, gates, false, scratch.context(), [&](const NativeSparseHead& state, std::int64_t query, std::size_t at, const float*) { each(state, query, at, head % group); });
    }
    std::shared_ptr<const NativeSparseRule> m_rule;
};

nn::AttentionPtr nativeSparseOp(const Inputs& inputs, const Parameters& given)
{
    return nativeSparseAttention(nativeSparseRule(inputs.spec, nativeSparseSettings(nativeSparseMethod().declaration.schema.complete(given))));
}

ParameterSpec tokensParameter(const char* name, const char* title, std::int64_t value, const char* help)
{
    return {.name = name, .title = title, .type = ParameterType::Integer, .defaultValue = value, .minimum = 1, .maximum = 65536, .unit = "tokens", .help = help};
}
ParameterSpec gateParameter(const char* name, const char* title)
{
    return {.name = name, .title = title, .type = ParameterType::Real, .defaultValue = 1.0 / 3, .minimum = 0, .maximum = 1, .help = "Fixed weight of the branch where the gates are not learned; 0: the branch is not read"};
}

/// The defaults are for texts of thousands of tokens: shorter ones are cut into as many blocks of fewer.
std::vector<Parameters> usualFor(std::int64_t tokens)
{
    constexpr std::int64_t kLong = 4096, kBlocks = 16;
    std::vector<Parameters> all(3);
    for (std::size_t i = 0; i < all.size(); ++i)
        if (tokens >= kLong) {
            all[i].set("selected", std::int64_t{8} << i);
        } else {
            const auto block = static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(std::max<std::int64_t>(2, tokens / kBlocks))));
            all[i].set("selected", std::int64_t{3} << i); // 3: the first and the two near ones alone
            all[i].set("compressed-block", block);
            all[i].set("stride", block / 2);
            all[i].set("selected-block", block);
            all[i].set("window", 2 * block);
        }
    return all;
}
} // namespace

std::shared_ptr<const NativeSparseRule> nativeSparseRule(const nn::AttentionSpec& spec, const NativeSparseSettings& settings, NativeSparseWeights weights)
{
    check(settings);
    if (spec.window > 0)
        throw Error(ErrorCode::UnsupportedFeature, "found attention in windows of a grid, expected attention over all tokens", "attention.native-sparse");
    if (spec.slidingWindow > 0)
        throw Error(ErrorCode::UnsupportedFeature, "found a sliding window of " + std::to_string(spec.slidingWindow) + " tokens, expected attention over all tokens before", "attention.native-sparse");
    return std::make_shared<NativeSparseRule>(NativeSparseRule{settings, std::move(weights), spec.heads, spec.keyValueHeads, spec.headDim, spec.scale, spec.causal});
}

nn::AttentionPtr nativeSparseAttention(std::shared_ptr<const NativeSparseRule> rule) { return std::make_shared<NativeSparse>(std::move(rule)); }

NativeSparseSettings nativeSparseSettings(const Parameters& p)
{
    const std::string& overlap = p.text("overlap");
    return {.sizes = {p.integer("compressed-block"), p.integer("stride"), p.integer("selected-block")},
            .selected = p.integer("selected"),
            .forced = {p.integer("initial"), p.integer("local")},
            .window = p.integer("window"),
            .overlap = overlap == "minus" ? Overlap::Minus : overlap == "plus" ? Overlap::Plus : Overlap::Geometric,
            .gates = {p.real("gate-compression"), p.real("gate-selection"), p.real("gate-window")}};
}

Method nativeSparseMethod()
{
    Method method;
    method.declaration = {
        .id = "attention.native-sparse",
        .lab = "attention",
        .title = "Compressed, selected and near blocks (native sparse)",
        .reference = "Yuan et al. 2025, Native Sparse Attention: compressed blocks of keys, the blocks that they point to, a window, and gates",
        .schema = ParameterSchema({
            {.name = "selected", .title = "Selected blocks", .type = ParameterType::Integer, .defaultValue = std::int64_t{16}, .minimum = 1, .maximum = 65536, .help = "Blocks that a query's group reads, the forced ones among them; all where there are no more"},
            tokensParameter("compressed-block", "Compressed block", 32, "Tokens that one compressed key and value stand for; a multiple of the stride"),
            tokensParameter("stride", "Stride", 16, "From one compressed block to the next"),
            tokensParameter("selected-block", "Selected block", 64, "Tokens of a block that is read whole; a multiple of the stride, no less than a compressed block"),
            {.name = "initial", .title = "First blocks", .type = ParameterType::Integer, .defaultValue = std::int64_t{1}, .minimum = 0, .maximum = 65536, .help = "Read whatever their score"},
            {.name = "local", .title = "Near blocks", .type = ParameterType::Integer, .defaultValue = std::int64_t{2}, .minimum = 1, .maximum = 65536, .help = "Read whatever their score: the query's own and those before it (not causal: before and behind)"},
            tokensParameter("window", "Window", 512, "Last tokens; not causal: around the query"),
            {.name = "overlap", .title = "Overlap", .type = ParameterType::Choice, .defaultValue = std::string("geometric"),
             .help = "How compressed blocks count for selected ones: by the tokens in both, or by either index that the formula is printed with", .choices = {"geometric", "minus", "plus"}},
            {.name = "hidden", .title = "Hidden units of phi", .type = ParameterType::Integer, .defaultValue = std::int64_t{64}, .minimum = 0, .maximum = 4096, .help = "Of the MLP that training adds to the mean of a compressed block; 0: the mean alone. Gates are learned, too"},
            gateParameter("gate-compression", "Gate of compression"),
            gateParameter("gate-selection", "Gate of selection"),
            gateParameter("gate-window", "Gate of the window"),
        })};
    method.op = nativeSparseOp;
    method.onTape = nativeSparseOnTape;
    method.trainedNumbers = nativeSparseNumbers;
    method.usual = usualFor;
    return method;
}

} // namespace tamis::attention
