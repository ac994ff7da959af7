// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Features as bytes under a key. Both name the format's version; a value that was changed, cut, or put under another key is not read.
#include "core/tensor/dtype.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tamis::remote {

inline constexpr int kFeatureFormat = 1;

/// What was computed from what: hashes, or other names of 1 to 128 letters, digits, '.', '_' and '-'.
struct FeatureKey {
    std::string model; ///< hash of the weights
    std::string inputs; ///< hash of what the model read, and which of its features these are
};

/// A tensor, row-major, elements little-endian.
struct Features {
    tensor::DType type = tensor::DType::F32;
    std::vector<std::int64_t> shape;
    std::vector<std::byte> bytes;
    std::vector<float> scales; ///< empty, or one for each of shape[0] rows
    bool operator==(const Features&) const = default;
};

/// What a reader can use.
struct FeatureForm {
    tensor::DType type = tensor::DType::F32;
    std::vector<std::int64_t> shape;
    bool scaled = false; ///< a scale for each of shape[0] rows, or none
    bool fits(const Features& features) const { return features.type == type && features.shape == shape && features.scales.empty() != scaled; }
};

/// "tamis:features:1:MODEL:INPUTS" with `prefix` "tamis". Throws Error{InvalidParameter}.
std::string keyText(const std::string& prefix, const FeatureKey& key);
/// What the keys of a model begin with.
std::string modelPrefix(const std::string& prefix, const std::string& model);

/// Header, bytes, scales, SHA-256 of the key and all that. Throws Error{InvalidParameter} for bytes that do not fit type and shape.
std::string encodeValue(const std::string& key, const Features& features);
/// Throws Error{MalformedFile} with offset: another format, lengths that contradict each other, another checksum.
Features decodeValue(const std::string& key, std::string_view value);

} // namespace tamis::remote
