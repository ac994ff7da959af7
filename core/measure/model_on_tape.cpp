// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/measure/model_on_tape.h"

namespace tamis::measure {

ModelOnTape loadOnTape(const io::Checkpoint& checkpoint, const nn::Model& model, const RunContext& context)
{
    if (model.spec().task == nn::Task::CausalLanguage)
        return train::DecoderOnTape<float>::load(checkpoint, context);
    const nn::PatchSpec& patch = model.spec().patch;
    return train::VitOnTape<float>::load(checkpoint, context, patch.imageHeight, patch.imageWidth);
}

train::Variable<float> logits(ModelOnTape& model, train::Tape<float>& tape, std::span<const LoadedSample* const> samples, const train::ForwardHooks<float>& hooks)
{
    const auto count = static_cast<std::int64_t>(samples.size());
    if (auto* language = std::get_if<train::DecoderOnTape<float>>(&model)) {
        std::vector<std::int32_t> ids;
        for (const LoadedSample* sample : samples)
            ids.insert(ids.end(), sample->tokens.begin(), sample->tokens.end());
        return language->logits(tape, ids, count, hooks);
    }
    auto& vit = std::get<train::VitOnTape<float>>(model);
    const train::VitShape& shape = vit.shape();
    const std::int64_t values = shape.patchValues(), rows = count * shape.patches();
    auto* patches = tape.scratch<float>(rows * values);
    for (std::int64_t i = 0; i < count; ++i)
        vit.cutPatches(samples[static_cast<std::size_t>(i)]->image, patches + i * shape.patches() * values);
    return vit.logits(tape, tape.constant({patches, rows, values, values}), count, hooks);
}

} // namespace tamis::measure
