// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/attention_capture.h"

#include "core/base/error.h"

#include <algorithm>

namespace tamis::attention {
namespace {
tensor::Matrix<float> copied(kernels::ConstRows rows)
{
    tensor::Matrix<float> copy(rows.rows, rows.cols);
    for (std::int64_t i = 0; i < rows.rows; ++i)
        std::ranges::copy(rows.row(i), copy.data() + i * rows.cols);
    return copy;
}

class Recorder final : public measure::RunRecorder {
public:
    Recorder(const RunContext& context, AttentionCapture& capture) : RunRecorder(context, capture), m_capture(capture) {}
    void attentionInput(std::size_t, int block, const nn::Block&, const nn::AttentionInput& input) override
    {
        m_capture.attention.at(static_cast<std::size_t>(block)) = {copied(input.x), copied(input.q), copied(input.k), copied(input.v)};
    }

private:
    AttentionCapture& m_capture;
};
} // namespace

std::size_t AttentionCapture::bytes() const noexcept
{
    std::size_t floats = features.size();
    for (const auto* rows : {&blockInputs, &blockOutputs})
        for (const auto& each : *rows)
            floats += each.size();
    for (const AttentionSample& each : attention)
        floats += each.x.size() + each.q.size() + each.k.size() + each.v.size();
    return sizeof(float) * floats;
}

std::shared_ptr<const AttentionCapture> captureAttention(std::shared_ptr<const nn::Model> model, const measure::SampleSource& source, std::size_t index, const RunContext& context)
{
    requireAttentionOverAllTokens(*model);
    auto capture = std::make_shared<AttentionCapture>();
    measure::LoadedSample sample;
    measure::loadChecked(source, index, *model, sample);
    capture->model = std::move(model);
    capture->index = index;
    capture->name = source.name(index);
    capture->attention.resize(capture->model->blocks().size());
    Recorder recorder(context, *capture);
    measure::recordRun(*capture, sample, recorder, RunContext(context.stopToken()));
    return capture;
}

void requireAttentionOverAllTokens(const nn::Model& model)
{
    for (const nn::Block& block : model.blocks())
        if (block.spec.attention.window > 0)
            throw Error(ErrorCode::UnsupportedFeature, "found attention in windows of a grid, expected attention over all tokens", model.spec().architecture);
}

} // namespace tamis::attention
