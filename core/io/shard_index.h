// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tamis::io {

/// model.safetensors.index.json: which shard holds which tensor.
struct ShardIndex {
    std::vector<std::string> files;               ///< plain file names, natural order, each once
    std::map<std::string, std::size_t> weightMap; ///< tensor -> index into files
    std::optional<std::uint64_t> totalSize;       ///< metadata.total_size, bytes of all tensors as the index says
};

inline constexpr std::size_t kMaximumShards = 4096;

/// Throws Error{MalformedFile}: no weight_map object, a key twice, a shard name that is not a plain file name (empty, ".",
/// "..", with a slash, a backslash or a control character); Error{LimitExceeded}: over 100 MB, kMaximumTensors, kMaximumShards.
ShardIndex parseShardIndex(std::string_view json, const std::string& subject);

} // namespace tamis::io
