// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/measure/sample_source.h"
#include "core/measure/token_source.h"

#include <filesystem>
#include <memory>

namespace tamis::app {

/// What a user names as input: exactly one of images, tokens and text.
struct SampleRequest {
    std::filesystem::path images, labels;
    std::filesystem::path tokens;  ///< .npy or text of token ids
    std::filesystem::path text;    ///< UTF-8, through the model's tokenizer.json
    measure::TokenWindows windows; ///< context 0: 512 tokens, or as many as the model has positions
    std::size_t limit = 0;         ///< samples, evenly spread; 0: all
    bool squash = false;           ///< photos: straight to the model's size
};

/// Throws Error{InvalidParameter (none or several of the three, inputs of the other kind than the model reads, token ids
/// beyond the vocabulary, nothing to read)}, and what reading throws.
std::unique_ptr<measure::SampleSource> openSamples(const SampleRequest& request, const std::filesystem::path& modelPath, const nn::Model& model,
                                                   const RunContext& context);

} // namespace tamis::app
