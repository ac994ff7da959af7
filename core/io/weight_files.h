// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The opened files of a checkpoint, one function a container format. Used by Checkpoint only.
#include "core/base/run_context.h"
#include "core/io/mapped_file.h"
#include "core/io/tensor_entry.h"

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace tamis::io {

struct WeightFiles {
    std::string format;                                   ///< as Checkpoint::format()
    std::vector<std::shared_ptr<const MappedFile>> files; ///< TensorEntry::file indexes this
    std::vector<TensorEntry> tensors;                     ///< any order, names unique
    /// Where the elements do not lie in the file as they are (compressed, big-endian, Fortran order): makes them,
    /// little-endian and row-major, entry.bytes long. Empty for formats that are read in place.
    std::function<std::vector<std::byte>(const TensorEntry&)> decode;
};

/// What a path stands for: the file to open, and where its config.json would be.
struct WeightLocation {
    enum class Kind { Safetensors, ShardIndex, Npy, Npz } kind = Kind::Safetensors;
    std::filesystem::path file;
    std::optional<std::filesystem::path> config; ///< exists
};

/// Finds the weights as Checkpoint::open() says. Throws Error{IoFailure} for what is not there, Error{UnsupportedFeature}
/// for a file of another kind and for a directory that holds no weights or several sets of them.
WeightLocation locateWeights(const std::filesystem::path& path);

WeightFiles openWeights(const WeightLocation& location, const RunContext& context);

/// "file: tensor "name"", the subject of errors about a tensor.
std::string tensorSubject(const std::filesystem::path& file, const TensorEntry& entry);

} // namespace tamis::io
