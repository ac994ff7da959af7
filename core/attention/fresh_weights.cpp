// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/fresh_weights.h"

#include "core/base/split_mix.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

namespace tamis::attention {
namespace {
constexpr double kTableDeviation = 0.02;

bool isTable(const std::string& name)
{
    for (const char* part : {"embed_tokens", "word_embeddings", "token_type", "position_embeddings", "pos_embed", "cls_token", "reg_token", "dist_token", "wte", "wpe", "position_embedding", "class_embedding"})
        if (name.find(part) != std::string::npos)
            return true;
    return false;
}

/// Box and Muller's, of the sequence's next two numbers.
double gaussian(std::uint64_t& state)
{
    constexpr double kUnit = 0x1.0p-53;
    const double radius = static_cast<double>((nextBits(state) >> 11U) + 1) * kUnit, angle = static_cast<double>(nextBits(state) >> 11U) * kUnit;
    return std::sqrt(-2 * std::log(radius)) * std::cos(2 * std::numbers::pi * angle);
}
} // namespace

void drawFreshWeights(train::ParameterSet<float>& parameters, std::uint64_t seed)
{
    for (auto& parameter : parameters.all()) {
        const bool vector = parameter.shape.size() < 2;
        if (vector && !isTable(parameter.name)) {
            std::ranges::fill(parameter.values.values(), parameter.name.ends_with("bias") ? 0.0F : 1.0F);
            continue;
        }
        std::uint64_t state = mixedBits(seed + kSplitMixStep);
        for (const char letter : parameter.name)
            state = mixedBits(state ^ static_cast<unsigned char>(letter));
        const double deviation = isTable(parameter.name) ? kTableDeviation : 1 / std::sqrt(static_cast<double>(parameter.values.cols()));
        for (float& value : parameter.values.values())
            value = static_cast<float>(deviation * gaussian(state));
    }
}

} // namespace tamis::attention
