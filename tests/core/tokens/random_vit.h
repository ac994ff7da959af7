// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A vision transformer of random weights with the grid and depth of a well-known one, but narrow: the counts of tokens are the same.
#include "core/io/model_config.h"
#include "core/nn/model.h"
#include "core/nn/tensor_source.h"

#include <cmath>
#include <memory>
#include <string>
#include <vector>

namespace tamis::test {

inline std::shared_ptr<const nn::Model> narrowVit(int depth, int image = 224, int patch = 16, std::uint64_t seed = 1)
{
    const std::string side = std::to_string(image);
    const std::string json = R"({"architecture": "vit_narrow", "num_classes": 4, "embed_dim": 8, "num_heads": 2, "mlp_ratio": 2, "class_token": true, "global_pool": "token", )"
                             R"("qkv_bias": true, "layer_norm_eps": 1e-6, "hidden_act": "gelu", "in_chans": 3, "patch_size": )" +
                             std::to_string(patch) + ", \"depth\": " + std::to_string(depth) + ", \"image_size\": [" + side + ", " + side + "]}";
    return nn::Model::load(io::parseModelConfig(json, "narrow"), nn::RandomSource::timmVit(seed));
}

inline std::vector<float> wavyImage(const nn::Model& model, double phase = 0)
{
    const nn::PatchSpec& p = model.spec().patch;
    std::vector<float> image(static_cast<std::size_t>(p.channels * p.imageHeight * p.imageWidth));
    for (std::size_t i = 0; i < image.size(); ++i)
        image[i] = static_cast<float>(std::sin(phase + 0.37 * static_cast<double>(i) + 1e-5 * static_cast<double>(i) * static_cast<double>(i % 1009)));
    return image;
}

} // namespace tamis::test
