// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/reuse/gate.h"

#include "core/reuse/token_gate.h"
#include "core/reuse/whole_frame.h"

#include <algorithm>

namespace tamis::reuse {

namespace {
using report::PatchSource;

class Gate final : public FrameReuser {
public:
    Gate(const ReuserInputs& inputs, const Parameters& parameters)
        : m_model(inputs.model), m_settings(gateSettings(parameters)), m_wholeAbove(parameters.real("whole-above")), m_current(m_model->tokens(), m_model->width()),
          m_reference(m_model->tokens(), m_model->width())
    {
    }
    void restart() override { m_state = {}; }
    void requireWhole() override { m_state = {}; }
    void next(const Frame& frame, FrameAnswer& answer, nn::Scratch& scratch) override
    {
        const TokenModel& model = *m_model;
        const auto patches = static_cast<std::size_t>(model.patches());
        const std::int64_t prefix = model.prefix();
        model.embed(frame.image, m_current.view(), scratch);
        beginAnswer(model, answer);
        answer.macs = model.embeddingMacs();
        if (m_state.empty())
            return computeWhole(answer, scratch);
        answer.change.resize(patches);
        relativeErrors(patchRows(m_current), patchRows(m_reference), answer.change);
        answer.macs += answer.overheadMacs = relativeErrorMacs(model.patches(), model.width());
        const auto rows = gated(answer.change, m_settings);
        const auto moved = std::ranges::count_if(answer.change, [&](float change) { return static_cast<double>(change) > m_settings.threshold; });
        if (static_cast<double>(moved) > m_wholeAbove * static_cast<double>(patches))
            return computeWhole(answer, scratch);
        if (rows.empty()) {
            answer.answer = m_last;
            return;
        }
        const auto tokens = withPrefix(prefix, rows);
        nn::Scratch::Frame taken(scratch);
        const kernels::Rows x = taken.take(static_cast<std::int64_t>(tokens.size()), model.width());
        gatherRows(m_current.view(), tokens, x);
        scatterRows(x, tokens, m_reference.view());
        model.runRows(x, tokens, m_state, scratch);
        answer.macs += model.rowsMacs(static_cast<double>(tokens.size()), static_cast<double>(model.tokens())) + model.headMacs();
        for (const std::int32_t row : rows)
            answer.patches[static_cast<std::size_t>(row)] = PatchSource::Computed;
        model.answer(m_state.hidden.view(), answer.answer, scratch);
        m_last = answer.answer;
    }

private:
    kernels::ConstRows patchRows(const tensor::Matrix<float>& x) const { return {x.data() + m_model->prefix() * x.cols(), m_model->patches(), x.cols(), x.cols()}; }
    void computeWhole(FrameAnswer& answer, nn::Scratch& scratch)
    {
        m_reference = m_current;
        runWhole(*m_model, m_current.view(), m_state, answer, scratch);
        m_last = answer.answer;
    }
    std::shared_ptr<const TokenModel> m_model;
    GateSettings m_settings;
    double m_wholeAbove;
    tensor::Matrix<float> m_current, m_reference; ///< [tokens, width]: embedded; of each token when it was computed last
    TokenState m_state;
    Answer m_last;
};
} // namespace

Method gateMethod()
{
    Method method;
    std::vector<ParameterSpec> specs = gateParameters(0.2);
    specs.push_back(wholeAboveParameter());
    method.declaration = {
        .id = "reuse.gate",
        .lab = "reuse",
        .title = "Gate on patches",
        .reference = "each patch's embedding against that of the frame it was computed in; changed ones run through all blocks over the kept keys and values of the others",
        .schema = ParameterSchema(std::move(specs))};
    method.make = [](const ReuserInputs& inputs, const Parameters& parameters) -> std::unique_ptr<FrameReuser> {
        return std::make_unique<Gate>(inputs, gateMethod().declaration.schema.complete(parameters));
    };
    return method;
}

} // namespace tamis::reuse
