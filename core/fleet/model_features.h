// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What a model makes of an image, and what it then says of it: the pieces that a store comes between. Private to the lab.
#include "core/measure/sample_source.h"
#include "core/nn/model.h"
#include "core/nn/scratch.h"
#include "core/tensor/matrix.h"

#include <string>

namespace tamis::fleet {

/// Features are the tokens behind the last block. Not thread-safe; the model must outlive it.
class ModelFeatures {
public:
    /// Throws Error{UnsupportedFeature} for models that read no images or change the number of tokens between blocks.
    explicit ModelFeatures(const nn::Model& model, const RunContext& context);
    std::int64_t rows(const measure::LoadedSample& sample) const { return m_model.embeddedTokens(sample.view()); }
    std::int64_t cols() const { return m_model.spec().width; }
    tensor::Matrix<float> encode(const measure::LoadedSample& sample);
    /// The class with the largest output; -1: the model names none.
    int topClass(tensor::Matrix<float> features);

private:
    const nn::Model& m_model;
    nn::Scratch m_scratch;
};

/// Of the pixels that the model reads.
std::string hashOf(const measure::LoadedSample& sample);

} // namespace tamis::fleet
