// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/native_sparse_on_tape.h"

#include "core/attention/native_sparse.h"
#include "core/attention/softmax_mix.h"
#include "core/base/error.h"
#include "core/base/memory_estimate.h"
#include "core/base/parallel.h"
#include "core/linalg/float_product.h"
#include "core/train/block_ops.h"
#include "core/train/linear_ops.h"
#include "core/train/pointwise_ops.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <string>

namespace tamis::attention {
namespace {
using kernels::ConstRows;
using kernels::Rows;
using train::Tape;
using Variable = train::Variable<float>;
constexpr float kFirstBias[kBranches] = {-4, 0, 0}; ///< selection and window, halves of exact attention, carry a model that was trained without compressed tokens

/// The masks of the three branches: [sequences, key-value heads, queries, keys].
struct Masks {
    std::uint8_t *compression = nullptr, *selection = nullptr, *window = nullptr;
};

class NativeSparseTraining final : public TapeOperator {
public:
    NativeSparseTraining(std::shared_ptr<const NativeSparseRule> shape, std::int64_t hidden, std::int64_t width, std::uint64_t seed) : m_shape(std::move(shape))
    {
        const std::int64_t flat = m_shape->settings.sizes.compressed * m_shape->dim, gates = static_cast<std::int64_t>(kBranches) * m_shape->heads;
        std::mt19937_64 random(seed);
        if (hidden > 0)
            for (const char* side : {"key", "value"})
                addEncoder(std::string("phi.") + side, flat, hidden, random);
        m_parameters.add("gate.weight", {gates, width});
        std::vector<float> bias(static_cast<std::size_t>(gates));
        for (std::int64_t i = 0; i < gates; ++i)
            bias[static_cast<std::size_t>(i)] = kFirstBias[i / m_shape->heads];
        m_parameters.add("gate.bias", {gates}, bias, false);
    }
    train::ParameterSet<float>* parameters() noexcept override { return &m_parameters; }

    Variable mix(Tape<float>& tape, const train::AttentionRows<float>& rows) override
    {
        const std::int64_t tokens = rows.q.rows() / rows.sequences, heads = m_shape->heads;
        const train::AttentionShape shape{.sequences = rows.sequences, .heads = heads, .keyValueHeads = m_shape->keyValueHeads, .scale = static_cast<double>(m_shape->scale)};
        const std::int64_t blocks = train::blocksWithin(tokens, m_shape->settings.sizes.compressed, m_shape->settings.sizes.stride);
        Variable keys, values;
        if (blocks > 0) {
            keys = compressed(tape, "phi.key", rows.k, rows.sequences);
            values = compressed(tape, "phi.value", rows.v, rows.sequences);
        }
        const Masks masks = choose(tape, rows, keys, tokens, blocks);
        const Variable gates = train::sigmoid(train::linear(rows.x, tape.parameter(m_parameters.at("gate.weight")), tape.parameter(m_parameters.at("gate.bias"))));
        const auto gated = [&](Branch branch, Variable mixed) { return train::gateHeads(mixed, tape.window(gates, static_cast<std::int64_t>(branch) * heads, heads)); };
        Variable out = train::add(gated(kSelection, train::maskedAttention(rows.q, rows.k, rows.v, masks.selection, shape)),
                                  gated(kWindow, train::maskedAttention(rows.q, rows.k, rows.v, masks.window, shape)));
        if (blocks > 0)
            out = train::add(out, gated(kCompression, train::maskedAttention(rows.q, keys, values, masks.compression, shape)));
        return out;
    }

    nn::AttentionPtr op() const override
    {
        NativeSparseRule rule = *m_shape;
        rule.weights = {encoder("phi.key"), encoder("phi.value"), matrix("gate.weight"), matrix("gate.bias")};
        return nativeSparseAttention(std::make_shared<NativeSparseRule>(std::move(rule)));
    }

private:
    void addEncoder(const std::string& name, std::int64_t flat, std::int64_t hidden, std::mt19937_64& random)
    {
        std::normal_distribution<float> normal(0, 1 / std::sqrt(static_cast<float>(flat)));
        std::vector<float> first(static_cast<std::size_t>(hidden * flat));
        for (float& value : first)
            value = normal(random);
        m_parameters.add(name + ".positions", {1, flat}, {}, false);
        m_parameters.add(name + ".w1", {hidden, flat}, first);
        m_parameters.add(name + ".b1", {hidden}, {}, false);
        m_parameters.add(name + ".w2", {m_shape->dim, hidden});
        m_parameters.add(name + ".b2", {m_shape->dim}, {}, false);
    }
    tensor::Matrix<float> matrix(const std::string& name) const
    {
        for (const train::Parameter<float>& parameter : m_parameters.all())
            if (parameter.name == name)
                return parameter.values;
        return {};
    }
    BlockEncoder encoder(const std::string& name) const { return {matrix(name + ".positions"), matrix(name + ".w1"), matrix(name + ".b1"), matrix(name + ".w2"), matrix(name + ".b2")}; }

    /// [sequences blocks, key-value heads dim]
    Variable compressed(Tape<float>& tape, const std::string& name, Variable rows, std::int64_t sequences)
    {
        const BlockSizes& sizes = m_shape->settings.sizes;
        const Variable flat = train::unfoldBlocks(rows, sequences, m_shape->keyValueHeads, sizes.compressed, sizes.stride);
        Variable mean = train::meanOfParts(flat, sizes.compressed);
        if (m_parameters.find(name + ".w1")) {
            const auto leaf = [&](const char* part) { return tape.parameter(m_parameters.at(name + part)); };
            const Variable hidden = train::linear(train::addRow(flat, leaf(".positions")), leaf(".w1"), leaf(".b1"), kernels::Activation::Relu);
            mean = train::linearResidual(hidden, leaf(".w2"), leaf(".b2"), mean);
        }
        return train::joinHeads(mean, m_shape->keyValueHeads);
    }

    Masks choose(Tape<float>& tape, const train::AttentionRows<float>& rows, Variable keys, std::int64_t tokens, std::int64_t blocks) const
    {
        const std::int64_t groups = rows.sequences * m_shape->keyValueHeads;
        const auto mask = [&](std::int64_t count) {
            auto* memory = tape.scratch<std::uint8_t>(groups * tokens * count);
            std::fill_n(memory, groups * tokens * count, std::uint8_t{0});
            return memory;
        };
        const Masks masks{blocks > 0 ? mask(blocks) : nullptr, mask(tokens), mask(tokens)};
        const ConstRows compressed = blocks > 0 ? keys.value() : ConstRows{};
        const ConstRows q = rows.q.value();
        parallelFor(tape.context(), static_cast<std::size_t>(groups), [&](std::size_t index) {
            const auto at = static_cast<std::int64_t>(index);
            const Masks own{blocks > 0 ? masks.compression + at * tokens * blocks : nullptr, masks.selection + at * tokens * tokens, masks.window + at * tokens * tokens};
            chooseOf(tape.context(), q, compressed, at / m_shape->keyValueHeads, at % m_shape->keyValueHeads, tokens, blocks, own);
        });
        return masks;
    }
    /// Of one sequence and group.
    void chooseOf(const RunContext& context, ConstRows q, ConstRows compressed, std::int64_t sequence, std::int64_t keyHead, std::int64_t tokens, std::int64_t blocks, const Masks& masks) const
    {
        const NativeSparseSettings& s = m_shape->settings;
        const std::int64_t d = m_shape->dim, group = m_shape->heads / m_shape->keyValueHeads;
        std::vector<float> summed, scores(static_cast<std::size_t>(blocks)), importance;
        std::vector<std::int64_t> chosen;
        for (std::int64_t query = 0; query < tokens; ++query) {
            const std::int64_t seen = m_shape->causal ? query + 1 : tokens, visible = train::blocksWithin(seen, s.sizes.compressed, s.sizes.stride);
            summed.assign(static_cast<std::size_t>(visible), 0.0F);
            for (std::int64_t head = keyHead * group; head < (keyHead + 1) * group && visible > 0; ++head) {
                softmaxScores(context, m_shape->scale, ConstRows{q.data + (sequence * tokens + query) * q.stride + head * d, 1, d, q.stride},
                              ConstRows{compressed.data + sequence * blocks * compressed.stride + keyHead * d, visible, d, compressed.stride}, Rows{scores.data(), 1, visible, visible});
                for (std::size_t c = 0; c < summed.size(); ++c)
                    summed[c] += scores[c];
            }
            importance.resize(static_cast<std::size_t>((seen + s.sizes.selected - 1) / s.sizes.selected));
            blockImportance(s.sizes, s.overlap, summed, importance);
            chooseBlocks(importance, query / s.sizes.selected, m_shape->causal, s.forced, s.selected, chosen);
            for (const std::int64_t block : chosen)
                std::fill(masks.selection + query * tokens + block * s.sizes.selected, masks.selection + query * tokens + std::min(seen, (block + 1) * s.sizes.selected), std::uint8_t{1});
            if (blocks > 0)
                std::fill_n(masks.compression + query * blocks, visible, std::uint8_t{1});
            const auto [begin, end] = windowOf(*m_shape, query, seen);
            std::fill(masks.window + query * tokens + begin, masks.window + query * tokens + end, std::uint8_t{1});
        }
    }

    std::shared_ptr<const NativeSparseRule> m_shape; ///< without weights
    train::ParameterSet<float> m_parameters;
};

/// Of both encoders and the gates.
std::uint64_t numbersOf(const nn::AttentionSpec& spec, const NativeSparseSettings& settings, std::int64_t hidden, std::int64_t width)
{
    const auto flat = static_cast<std::uint64_t>(settings.sizes.compressed * spec.headDim), dim = static_cast<std::uint64_t>(spec.headDim), units = static_cast<std::uint64_t>(hidden),
               gates = static_cast<std::uint64_t>(kBranches) * static_cast<std::uint64_t>(spec.heads);
    return (units > 0 ? 2 * (flat + units * flat + units + dim * units + dim) : 0) + gates * (static_cast<std::uint64_t>(width) + 1);
}
} // namespace

std::unique_ptr<TapeOperator> nativeSparseTraining(const nn::AttentionSpec& spec, const NativeSparseSettings& settings, std::int64_t hidden, std::int64_t width, std::uint64_t seed)
{
    if (width < 1)
        throw Error(ErrorCode::InvalidParameter, "found rows of " + std::to_string(width) + " features, expected those that queries are projected from: gates are learned from them", "attention.native-sparse");
    auto rule = nativeSparseRule(spec, settings); // refuses what is no rule
    requireMemory(4 * sizeof(float) * numbersOf(spec, settings, hidden, width), "native sparse attention that is trained"); // values, gradients, two moments
    return std::make_unique<NativeSparseTraining>(std::move(rule), hidden, width, seed);
}

std::uint64_t nativeSparseNumbers(const Inputs& inputs, const Parameters& given)
{
    const Parameters parameters = nativeSparseMethod().declaration.schema.complete(given);
    return numbersOf(inputs.spec, nativeSparseSettings(parameters), parameters.integer("hidden"), inputs.width);
}

std::unique_ptr<TapeOperator> nativeSparseOnTape(const Inputs& inputs, const Parameters& given)
{
    const Parameters parameters = nativeSparseMethod().declaration.schema.complete(given);
    return nativeSparseTraining(inputs.spec, nativeSparseSettings(parameters), parameters.integer("hidden"), inputs.width, inputs.seed + static_cast<std::uint64_t>(inputs.block));
}

} // namespace tamis::attention
