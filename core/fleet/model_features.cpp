// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/fleet/model_features.h"

#include "core/base/error.h"
#include "core/base/sha256.h"
#include "core/fleet/method.h"
#include "core/io/checkpoint.h"

#include <algorithm>

namespace tamis::fleet {

ModelFeatures::ModelFeatures(const nn::Model& model, const RunContext& context) : m_model(model), m_scratch(true, context)
{
    if (!model.spec().vision() || std::ranges::any_of(model.blocks(), [](const nn::Block& block) { return static_cast<bool>(block.merge); }))
        throw Error(ErrorCode::UnsupportedFeature, "found a model that reads no images, or merges tokens between blocks, expected a vision transformer with one grid of tokens", "model");
}

tensor::Matrix<float> ModelFeatures::encode(const measure::LoadedSample& sample)
{
    const nn::Sample view = sample.view();
    m_model.check(view);
    tensor::Matrix<float> x(rows(sample), cols());
    m_model.embed(view, x.view(), m_scratch);
    for (int block = 0; block < static_cast<int>(m_model.blocks().size()); ++block)
        m_model.runBlock(block, x.view(), m_scratch);
    return x;
}

int ModelFeatures::topClass(tensor::Matrix<float> features)
{
    if (m_model.spec().classes == 0)
        return -1;
    tensor::Matrix<float> output(1, m_model.outputWidth());
    m_model.runTail(features.view(), {}, output.view(), m_scratch);
    return static_cast<int>(std::ranges::max_element(output.values()) - output.values().begin());
}

std::string featureVersion(const io::Checkpoint& checkpoint, const RunContext& context)
{
    const std::string content = checkpoint.sha256(context) + "\n" + checkpoint.config().rawJson + "\nbehind the last block";
    return sha256(std::as_bytes(std::span(content.data(), content.size())));
}

std::string hashOf(const measure::LoadedSample& sample) { return sha256(std::as_bytes(std::span(sample.image))); }

} // namespace tamis::fleet
