// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/shard_index.h"

#include "core/base/error.h"
#include "core/io/json_limits.h"
#include "core/io/tensor_entry.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace tamis::io {
namespace {
using nlohmann::json;

void checkShardName(const std::string& name, const std::string& tensor, const std::string& subject)
{
    const bool plain = !name.empty() && name != "." && name != ".." && name.size() <= 255 &&
                       std::none_of(name.begin(), name.end(), [](char c) {
                           return c == '/' || c == '\\' || static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
                       });
    if (!plain)
        throw Error(ErrorCode::MalformedFile,
                    "weight_map gives the shard " + quotedName(name) + " for tensor " + quotedName(tensor) +
                        ", expected the plain name of a file in the same directory",
                    subject);
}

std::optional<std::uint64_t> totalSize(const json& document, const std::string& subject)
{
    const auto metadata = document.find("metadata");
    if (metadata == document.end() || !metadata->is_object())
        return std::nullopt;
    const auto size = metadata->find("total_size");
    if (size == metadata->end())
        return std::nullopt;
    if (size->is_number_unsigned())
        return size->get<std::uint64_t>();
    // Some writers store a float.
    if (size->is_number_float() && size->get<double>() >= 0 && size->get<double>() < 0x1p53)
        return static_cast<std::uint64_t>(size->get<double>());
    throw Error(ErrorCode::MalformedFile, "metadata.total_size is " + quotedName(size->dump(-1, ' ', true)) + ", expected a number of bytes",
                subject);
}
} // namespace

ShardIndex parseShardIndex(std::string_view text, const std::string& subject)
{
    const json document = parseJson(text, {.bytes = 100'000'000, .depth = 8, .values = kMaximumTensors + 100'000}, subject);
    const auto fail = [&](ErrorCode code, const std::string& message) { throw Error(code, message, subject); };
    if (!document.is_object())
        fail(ErrorCode::MalformedFile, "is not a shard index, expected a JSON object");
    const auto map = document.find("weight_map");
    if (map == document.end() || !map->is_object())
        fail(ErrorCode::MalformedFile, "is not a shard index, expected an object weight_map");
    if (map->empty())
        fail(ErrorCode::MalformedFile, "weight_map is empty, expected at least one tensor");
    if (map->size() > kMaximumTensors)
        fail(ErrorCode::LimitExceeded, "weight_map lists more than " + std::to_string(kMaximumTensors) + " tensors");

    ShardIndex index;
    index.totalSize = totalSize(document, subject);
    for (const auto& [tensor, shard] : map->items()) {
        if (tensor.empty() || tensor.size() > kMaximumNameBytes)
            fail(ErrorCode::MalformedFile, "weight_map has a tensor name of " + std::to_string(tensor.size()) + " bytes, expected 1 to " +
                                               std::to_string(kMaximumNameBytes));
        if (!shard.is_string())
            fail(ErrorCode::MalformedFile, "weight_map gives no file name for tensor " + quotedName(tensor));
        checkShardName(shard.get_ref<const std::string&>(), tensor, subject);
        index.files.push_back(shard.get_ref<const std::string&>());
    }
    std::sort(index.files.begin(), index.files.end(), naturalLess);
    index.files.erase(std::unique(index.files.begin(), index.files.end()), index.files.end());
    if (index.files.size() > kMaximumShards)
        fail(ErrorCode::LimitExceeded, "names " + std::to_string(index.files.size()) + " shards, at most " + std::to_string(kMaximumShards) + " are read");
    for (const auto& [tensor, shard] : map->items()) {
        const auto place = std::lower_bound(index.files.begin(), index.files.end(), shard.get_ref<const std::string&>(), naturalLess);
        index.weightMap.emplace(tensor, static_cast<std::size_t>(place - index.files.begin()));
    }
    return index;
}

} // namespace tamis::io
