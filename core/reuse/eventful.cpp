// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/reuse/eventful.h"

#include "core/base/error.h"
#include "core/kernels/elementwise.h"
#include "core/reuse/partial_attention.h"
#include "core/reuse/token_gate.h"
#include "core/reuse/whole_frame.h"

#include <algorithm>
#include <numeric>
#include <optional>

namespace tamis::reuse {

namespace {
using kernels::ConstRows;
using kernels::Rows;
using report::PatchSource;

constexpr double kMostFloats = 1u << 30; ///< of scores and the like: 4 GiB

/// What one gate keeps: the reference of every token, and the output of what stands behind it.
struct Gated {
    tensor::Matrix<float> reference, buffer;
};

struct BlockState {
    Gated attention, output, mlp; ///< before q, k and v; before the output projection; before the MLP. Attention's buffer is in `partial`
    std::optional<PartialAttention> partial;
};

class Eventful final : public FrameReuser {
public:
    Eventful(const ReuserInputs& inputs, const Parameters& parameters)
        : m_model(inputs.model), m_settings(gateSettings(parameters)), m_wholeAbove(parameters.real("whole-above")), m_embedded(m_model->tokens(), m_model->width()), m_x(m_model->tokens(), m_model->width()),
          m_errors(static_cast<std::size_t>(m_model->tokens()))
    {
        double floats = 0;
        for (const nn::Block& block : m_model->model().blocks())
            floats += PartialAttention::floats(block.spec.attention, m_model->tokens());
        if (floats > kMostFloats)
            throw Error(ErrorCode::LimitExceeded, "found " + std::to_string(m_model->tokens()) + " tokens, whose scores of all heads and blocks take " + std::to_string(static_cast<std::uint64_t>(floats * 4) >> 20U) +
                                                      " MiB, expected at most " + std::to_string(static_cast<std::uint64_t>(kMostFloats * 4) >> 20U), "reuse.eventful");
    }
    void restart() override { m_blocks.clear(); }
    void requireWhole() override { m_blocks.clear(); }
    void next(const Frame& frame, FrameAnswer& answer, nn::Scratch& scratch) override
    {
        const TokenModel& model = *m_model;
        const tensor::Matrix<float> before = std::move(m_embedded);
        m_embedded = tensor::Matrix<float>(model.tokens(), model.width());
        model.embed(frame.image, m_embedded.view(), scratch);
        beginAnswer(model, answer);
        answer.macs = model.embeddingMacs();
        if (!m_blocks.empty()) {
            gateOnce(m_embedded.view(), m_blocks.front().attention.reference, answer);
            answer.change.assign(m_errors.begin() + model.prefix(), m_errors.end());
            const auto moved = std::ranges::count_if(answer.change, [&](float change) { return static_cast<double>(change) > m_settings.threshold; });
            if (static_cast<double>(moved) > m_wholeAbove * static_cast<double>(model.patches()))
                m_blocks.clear();
            else if (m_settled && before == m_embedded && model.runs() == TokenModel::Runs::Everything) { // a still, and no token waits at a gate: all would be what it was
                answer.answer = m_last;
                return;
            }
        }
        answer.keyFrame = m_blocks.empty();
        if (m_blocks.empty())
            m_blocks.resize(model.model().blocks().size());
        m_settled = true; // until a token passes that is not of a whole frame
        m_x = m_embedded;
        if (model.runs() == TokenModel::Runs::EmbeddingAlone) { // the first gate alone does not hang on features
            passFirst(m_x.view(), m_blocks.front().attention, answer);
            answer.macs = answer.overheadMacs = report::kNotMeasured;
            return;
        }
        for (std::size_t i = 0; i < m_blocks.size(); ++i) {
            scratch.context().throwIfStopped();
            runBlock(model.model().blocks()[i], m_blocks[i], i == 0, answer, scratch);
        }
        answer.macs += model.headMacs();
        model.answer(m_x.view(), answer.answer, scratch);
        m_last = answer.answer;
    }

private:
    /// Fills m_errors.
    void gateOnce(ConstRows current, const tensor::Matrix<float>& reference, FrameAnswer& answer)
    {
        relativeErrors(current, reference.view(), m_errors);
        const double macs = relativeErrorMacs(current.rows, current.cols);
        answer.macs += macs;
        answer.overheadMacs += macs;
    }
    /// The tokens that pass, whose references become current; all of them in the first frame. `measured`: m_errors holds the errors.
    std::vector<std::int32_t> pass(ConstRows current, Gated& gate, bool measured, FrameAnswer& answer)
    {
        if (gate.reference.empty()) {
            gate.reference = tensor::Matrix<float>(current.rows, current.cols);
            std::vector<std::int32_t> all(static_cast<std::size_t>(current.rows));
            std::iota(all.begin(), all.end(), 0);
            scatterRows(current, all, gate.reference.view());
            return all;
        }
        if (!measured)
            gateOnce(current, gate.reference, answer);
        const auto prefix = static_cast<std::size_t>(m_model->prefix());
        const auto patches = gated(std::span<const float>(m_errors).subspan(prefix), m_settings);
        const bool prefixMoved = std::any_of(m_errors.begin(), m_errors.begin() + static_cast<std::ptrdiff_t>(prefix), [](float error) { return error != 0; });
        if (patches.empty() && !(prefixMoved && m_settings.policy != GatePolicy::Threshold) &&
            std::none_of(m_errors.begin(), m_errors.begin() + static_cast<std::ptrdiff_t>(prefix), [&](float error) { return static_cast<double>(error) > m_settings.threshold; }))
            return {};
        m_settled = false;
        auto tokens = withPrefix(m_model->prefix(), patches);
        for (const std::int32_t token : tokens)
            std::ranges::copy(current.row(token), gate.reference.view().row(token).begin());
        return tokens;
    }
    std::vector<std::int32_t> passFirst(ConstRows x, Gated& gate, FrameAnswer& answer)
    {
        auto tokens = pass(x, gate, !gate.reference.empty(), answer);
        for (const std::int32_t token : tokens)
            if (token >= m_model->prefix())
                answer.patches[static_cast<std::size_t>(token - m_model->prefix())] = PatchSource::Computed;
        return tokens;
    }
    void runBlock(const nn::Block& block, BlockState& state, bool first, FrameAnswer& answer, nn::Scratch& scratch)
    {
        const TokenModel& model = *m_model;
        const nn::AttentionSpec& at = block.spec.attention;
        const std::int64_t n = model.tokens(), width = model.width(), qkvWidth = (at.heads + 2 * at.keyValueHeads) * at.headDim;
        const Rows x = m_x.view();
        const bool started = state.partial.has_value();
        auto tokens = first ? passFirst(x, state.attention, answer) : pass(x, state.attention, false, answer);
        if (!started) {
            state.partial.emplace(at, n);
            state.output.buffer = tensor::Matrix<float>(n, width);
            state.mlp.buffer = tensor::Matrix<float>(n, width);
        }
        {
            nn::Scratch::Frame frame(scratch);
            const auto count = static_cast<std::int64_t>(tokens.size());
            const Rows rows = frame.take(count, width), qkv = frame.take(count, qkvWidth);
            if (count > 0) {
                gatherRows(x, tokens, rows);
                block.attentionNorm.apply(rows, rows);
                model.project(block, rows, qkv, scratch);
            }
            state.partial->update(qkv, tokens, scratch.parallel());
            answer.macs += static_cast<double>(count) * projectionMacs(block) + state.partial->macs();
        }
        scratch.context().throwIfStopped();
        tokens = pass(state.partial->mixed(), state.output, false, answer);
        renew(tokens, state.partial->mixed(), state.output.buffer, outputMacs(block), answer, scratch, [&](Rows from, Rows to) { model.projectOut(block, from, {}, to, scratch); });
        addTo(x, state.output.buffer);
        if (!block.up)
            return;
        scratch.context().throwIfStopped();
        tokens = pass(x, state.mlp, false, answer);
        renew(tokens, x, state.mlp.buffer, mlpMacs(block), answer, scratch, [&](Rows from, Rows to) { model.mlp(block, from, {}, to, scratch); });
        addTo(x, state.mlp.buffer);
    }
    /// buffer[tokens] = part(x[tokens])
    template <class Part> static void renew(std::span<const std::int32_t> tokens, ConstRows x, tensor::Matrix<float>& buffer, double macs, FrameAnswer& answer, nn::Scratch& scratch, Part part)
    {
        if (tokens.empty())
            return;
        nn::Scratch::Frame frame(scratch);
        const auto count = static_cast<std::int64_t>(tokens.size());
        const Rows from = frame.take(count, x.cols), to = frame.take(count, buffer.cols());
        gatherRows(x, tokens, from);
        part(from, to);
        scatterRows(to, tokens, buffer.view());
        answer.macs += static_cast<double>(count) * macs;
    }
    static void addTo(Rows x, const tensor::Matrix<float>& buffer)
    {
        for (std::int64_t i = 0; i < x.rows; ++i)
            kernels::add(buffer.view().row(i), x.row(i));
    }
    std::shared_ptr<const TokenModel> m_model;
    GateSettings m_settings;
    double m_wholeAbove;
    tensor::Matrix<float> m_embedded, m_x;
    std::vector<float> m_errors; ///< [tokens]
    std::vector<BlockState> m_blocks;
    bool m_settled = false; ///< the last frame left every reference as it was, or was whole: the same frame again changes nothing
    Answer m_last;
};
} // namespace

Method eventfulMethod()
{
    Method method;
    std::vector<ParameterSpec> specs = gateParameters(0.1);
    specs.push_back(wholeAboveParameter());
    method.declaration = {
        .id = "reuse.eventful",
        .lab = "reuse",
        .title = "Eventful transformer",
        .reference = "Dutson, Li, Gupta 2023: a gate before each linear part of every block, partial scores, differences for the mixed values",
        .schema = ParameterSchema(std::move(specs))};
    method.make = [](const ReuserInputs& inputs, const Parameters& parameters) -> std::unique_ptr<FrameReuser> {
        return std::make_unique<Eventful>(inputs, eventfulMethod().declaration.schema.complete(parameters));
    };
    return method;
}

} // namespace tamis::reuse
