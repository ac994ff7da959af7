// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/remote/feature_value.h"

#include "core/base/error.h"
#include "core/base/sha256.h"

#include <array>
#include <cstring>
#include <optional>

namespace tamis::remote {
namespace {
// "TAMISF", version, rank, 8 bytes of dtype name padded with zeros, scales u64, bytes u64, dimensions u64 each; then bytes, scales, 64 hexadecimal digits.
constexpr std::string_view kMagic = "TAMISF";
constexpr std::size_t kHeader = 32, kDigest = 64, kMostRank = 8, kName = 8;
constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 40U;
static_assert(std::endian::native == std::endian::little);

std::uint64_t numberAt(std::string_view value, std::size_t offset)
{
    std::uint64_t number = 0;
    std::memcpy(&number, value.data() + offset, sizeof number);
    return number;
}

void append(std::string& to, std::uint64_t number) { to.append(reinterpret_cast<const char*>(&number), sizeof number); }

/// Elements of a shape; nothing for a negative dimension or too many.
std::optional<std::uint64_t> elementsOf(const std::vector<std::int64_t>& shape)
{
    std::uint64_t elements = 1;
    for (const std::int64_t dimension : shape) {
        std::uint64_t product = 0;
        if (dimension < 0 || __builtin_mul_overflow(elements, static_cast<std::uint64_t>(dimension), &product) || product > kMostBytes)
            return {};
        elements = product;
    }
    return elements;
}

bool fits(const Features& features)
{
    const auto elements = elementsOf(features.shape);
    const bool scales = features.scales.empty() || (!features.shape.empty() && features.scales.size() == static_cast<std::uint64_t>(features.shape[0]));
    return elements && scales && features.shape.size() <= kMostRank && *elements * tensor::dtypeSize(features.type) == features.bytes.size();
}

std::string digestOf(const std::string& key, std::string_view content)
{
    const std::string both = key + "\n" + std::string(content);
    return sha256(std::as_bytes(std::span(both.data(), both.size())));
}

[[noreturn]] void malformed(const std::string& key, const std::string& what, std::size_t offset) { throw Error(ErrorCode::MalformedFile, what, key, offset); }

void requireName(const std::string& name, const char* what)
{
    constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    if (name.empty() || name.size() > 128 || name.find_first_not_of(kAllowed) != std::string::npos)
        throw Error(ErrorCode::InvalidParameter, "found '" + name.substr(0, 140) + "', expected 1 to 128 letters, digits, '.', '_' or '-'", what);
}
} // namespace

std::string modelPrefix(const std::string& prefix, const std::string& model)
{
    requireName(prefix, "prefix of the store");
    requireName(model, "model of a key");
    return prefix + ":features:" + std::to_string(kFeatureFormat) + ":" + model + ":";
}

std::string keyText(const std::string& prefix, const FeatureKey& key)
{
    requireName(key.inputs, "inputs of a key");
    return modelPrefix(prefix, key.model) + key.inputs;
}

std::string encodeValue(const std::string& key, const Features& features)
{
    if (!fits(features))
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(features.bytes.size()) + " bytes and " + std::to_string(features.scales.size()) + " scales, expected those of the shape", key);
    std::string value(kMagic);
    value += static_cast<char>(kFeatureFormat);
    value += static_cast<char>(features.shape.size());
    std::string name(tensor::dtypeName(features.type));
    name.resize(kName);
    value += name;
    append(value, features.scales.size());
    append(value, features.bytes.size());
    for (const std::int64_t dimension : features.shape)
        append(value, static_cast<std::uint64_t>(dimension));
    value.append(reinterpret_cast<const char*>(features.bytes.data()), features.bytes.size());
    value.append(reinterpret_cast<const char*>(features.scales.data()), features.scales.size() * sizeof(float));
    return value + digestOf(key, value);
}

Features decodeValue(const std::string& key, std::string_view value)
{
    if (value.size() < kHeader + kDigest)
        malformed(key, "found " + std::to_string(value.size()) + " bytes, expected " + std::to_string(kHeader + kDigest) + " at least", 0);
    if (!value.starts_with(kMagic) || value[6] != static_cast<char>(kFeatureFormat))
        malformed(key, "found another beginning, expected features in format " + std::to_string(kFeatureFormat), 0);
    const auto rank = static_cast<std::size_t>(static_cast<unsigned char>(value[7]));
    const std::string_view name = value.substr(8, kName);
    const std::size_t padding = std::min(name.find('\0'), kName);
    const auto type = tensor::parseDType(name.substr(0, padding));
    if (rank > kMostRank || !type || name.find_first_not_of('\0', padding) != std::string_view::npos)
        malformed(key, "found rank " + std::to_string(rank) + " or an unknown type, expected rank " + std::to_string(kMostRank) + " at most", 7);
    const std::uint64_t scales = numberAt(value, 16), bytes = numberAt(value, 24);
    const std::size_t content = value.size() - kDigest, first = kHeader + rank * sizeof(std::uint64_t);
    if (scales > kMostBytes || bytes > kMostBytes || content < first || content - first != bytes + scales * sizeof(float))
        malformed(key, "found " + std::to_string(value.size()) + " bytes, expected as many as the header says", 16);
    if (digestOf(key, value.substr(0, content)) != value.substr(content))
        malformed(key, "found another checksum than that of the key and the bytes", content);
    Features features;
    features.type = *type;
    for (std::size_t i = 0; i < rank; ++i)
        features.shape.push_back(static_cast<std::int64_t>(numberAt(value, kHeader + i * sizeof(std::uint64_t))));
    const auto* elements = reinterpret_cast<const std::byte*>(value.data() + first);
    features.bytes.assign(elements, elements + bytes);
    features.scales.resize(scales);
    if (scales > 0) // else there is nothing to point to
        std::memcpy(features.scales.data(), elements + bytes, scales * sizeof(float));
    if (!fits(features))
        malformed(key, "found " + std::to_string(bytes) + " bytes, expected those of the shape", 24);
    return features;
}

} // namespace tamis::remote
