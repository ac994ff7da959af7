// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A checkpoint: weights on disk, memory-mapped, decoded on demand. Opening reads headers only.
#include "core/base/run_context.h"
#include "core/io/layout.h"
#include "core/io/model_config.h"
#include "core/io/tensor_entry.h"
#include "core/tensor/convert.h"
#include "core/tensor/dtype.h"
#include "core/tensor/matrix.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace tamis::io {

/// Immutable and safe to share between threads.
class Checkpoint {
public:
    /// `path`: a .safetensors file, a model.safetensors.index.json, a .npy/.npz file of plain matrices, or a directory
    /// holding model.safetensors (or an index, or exactly one .safetensors file) and perhaps config.json.
    /// Throws Error{MalformedFile, UnsupportedFeature, LimitExceeded, IoFailure}; nothing is half-loaded.
    static std::shared_ptr<const Checkpoint> open(const std::filesystem::path& path, const RunContext& context = {});
    ~Checkpoint();

    const std::filesystem::path& path() const noexcept;               ///< as given
    const std::vector<std::filesystem::path>& files() const noexcept; ///< the weight files
    const std::string& format() const noexcept;                       ///< "safetensors", "safetensors-sharded", "npy", "npz"
    const ModelConfig& config() const noexcept;                       ///< empty without a config.json
    const ModelLayout& layout() const noexcept;                       ///< family, layers, matrices with roles
    const std::vector<TensorEntry>& tensors() const noexcept;         ///< sorted by name, in natural order (2 before 10)
    const TensorEntry* find(std::string_view name) const noexcept;
    std::uint64_t parameters() const noexcept; ///< sum of elements
    std::uint64_t bytes() const noexcept;      ///< sum of tensor bytes

    /// Decoded values. Throws Error{IoFailure} (subject: file and tensor) when the file shrank after opening.
    std::vector<float> readFloats(const TensorEntry& entry) const;
    /// One matrix of the layout as [out, in] (GPT-2's Conv1D is transposed, convolutions are flattened), float or double.
    tensor::Matrix<float> readMatrix(const MatrixRef& matrix) const;
    tensor::Matrix<double> readMatrixDouble(const MatrixRef& matrix) const;
    /// The stored bytes, unchanged, for export.
    std::vector<std::byte> readBytes(const TensorEntry& entry) const;

    /// SHA-256 over the weight files in order. Computed at the first call (seconds for gigabytes), then kept.
    std::string sha256(const RunContext& context = {}) const;

private:
    struct Content;
    explicit Checkpoint(std::unique_ptr<Content> content);
    std::unique_ptr<Content> m_content;
};

/// True if the path looks like something open() may read (cheap content probe for drag and drop).
bool looksLikeCheckpoint(const std::filesystem::path& path);

} // namespace tamis::io
