// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/model_config.h"

#include "core/base/error.h"
#include "core/io/json_limits.h"

#include <nlohmann/json.hpp>

#include <cmath>
#include <initializer_list>
#include <limits>

namespace tamis::io {
namespace {
using nlohmann::json;
constexpr JsonLimits kLimits{.bytes = 16u << 20, .depth = 64, .values = 4'000'000};

// The first of `names` that is there and not null.
std::optional<std::int64_t> wholeNumber(const json& document, std::initializer_list<const char*> names, const std::string& subject)
{
    for (const char* name : names) {
        const auto field = document.find(name);
        if (field == document.end() || field->is_null() || field->is_array())
            continue; // hierarchical models list a number for each stage
        const bool valid = field->is_number_unsigned() && field->get<std::uint64_t>() >= 1 &&
                           field->get<std::uint64_t>() <= static_cast<std::uint64_t>(std::numeric_limits<std::int32_t>::max());
        if (!valid)
            throw Error(ErrorCode::MalformedFile,
                        std::string(name) + " is " + quotedName(field->dump(-1, ' ', true)) + ", expected a whole number from 1 to 2147483647",
                        subject);
        return field->get<std::int64_t>();
    }
    return std::nullopt;
}

std::string word(const json& document, const char* name)
{
    const auto field = document.find(name);
    return field != document.end() && field->is_string() ? field->get<std::string>() : std::string();
}
} // namespace

ModelConfig parseModelConfig(std::string_view text, const std::string& subject)
{
    const json document = parseJson(text, kLimits, subject);
    if (!document.is_object())
        throw Error(ErrorCode::MalformedFile, "is not a model configuration, expected a JSON object", subject);
    ModelConfig config;
    config.rawJson = text;
    config.modelType = word(document, "model_type");
    if (config.modelType.empty())
        config.modelType = word(document, "architecture");
    config.hiddenSize = wholeNumber(document, {"hidden_size", "n_embd", "embed_dim", "num_features"}, subject);
    config.layers = wholeNumber(document, {"num_hidden_layers", "n_layer", "depth"}, subject);
    config.heads = wholeNumber(document, {"num_attention_heads", "n_head", "num_heads"}, subject);
    config.keyValueHeads = wholeNumber(document, {"num_key_value_heads"}, subject);
    config.headDim = wholeNumber(document, {"head_dim"}, subject);
    config.intermediateSize = wholeNumber(document, {"intermediate_size", "n_inner", "ffn_dim"}, subject);
    // timm states the width of the MLP as a multiple of the model's.
    if (const auto ratio = document.find("mlp_ratio"); !config.intermediateSize && config.hiddenSize && ratio != document.end() && ratio->is_number()) {
        const double width = static_cast<double>(*config.hiddenSize) * ratio->get<double>();
        if (width >= 1 && width <= std::numeric_limits<std::int32_t>::max())
            config.intermediateSize = static_cast<std::int64_t>(width); // timm: int(dim * mlp_ratio)
    }
    return config;
}

ModelConfig readModelConfig(const std::filesystem::path& file)
{
    return parseModelConfig(readSmallFile(file, kLimits.bytes), file.string());
}

} // namespace tamis::io
