// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace tamis::io {

/// config.json: the raw text and the fields that Tamis uses. Everything is optional.
struct ModelConfig {
    std::string rawJson = "{}"; ///< as read, validated JSON object
    std::string modelType;      ///< transformers "model_type" or timm "architecture"
    std::optional<std::int64_t> hiddenSize, layers, heads, keyValueHeads, headDim, intermediateSize;
};

/// A field that is there must be a whole number from 1 to 2^31 - 1, null, or a list (which is left
/// aside: hierarchical models): Error{MalformedFile} names it otherwise.
/// Throws Error{MalformedFile, LimitExceeded (over 16 MiB or nested deeper than 64)}.
ModelConfig parseModelConfig(std::string_view json, const std::string& subject);

/// Throws Error{MalformedFile, LimitExceeded (over 16 MiB or nested deeper than 64), IoFailure}.
ModelConfig readModelConfig(const std::filesystem::path& file);

} // namespace tamis::io
