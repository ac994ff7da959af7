// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Writing many tensors, some from the checkpoint and some computed, as one safetensors file or as shards. Internal to
// core/plan.
#include "core/base/atomic_file.h"
#include "core/base/run_context.h"
#include "core/io/checkpoint.h"
#include "core/io/safetensors.h"

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <vector>

namespace tamis::plan {

/// Computed bytes, kept on disk until the files are assembled: the file's order is known only when all are there, and
/// together they may not fit into memory. The spool never outlives the object.
class Spool {
public:
    struct Range {
        std::uint64_t offset = 0, bytes = 0;
    };
    explicit Spool(const std::filesystem::path& directory);
    /// Throws Error{IoFailure}.
    Range append(std::span<const std::byte> bytes);
    std::vector<std::byte> read(const Range& range);

private:
    AtomicFile m_file; // never committed
    std::ifstream m_reader;
};

/// One tensor of an output file.
struct OutputTensor {
    io::TensorDeclaration declaration;
    const io::TensorEntry* source = nullptr; ///< bytes taken from the checkpoint unchanged; null: from the spool
    Spool::Range range;
    std::uint64_t bytes() const noexcept { return source ? source->bytes : range.bytes; }
};

/// Writes <stem>.safetensors, or <stem>-00001-of-0000N.safetensors with <stem>.safetensors.index.json when the tensors
/// take more than `maxShardBytes`. Order: as given over the shards; inside a file the widest dtype first, so that every
/// tensor is aligned. Returns the files; the first of them (or the index) is what a reader opens: outputEntryPoint().
/// Throws Error{IoFailure, Cancelled}.
std::vector<std::filesystem::path> writeTensors(const std::filesystem::path& directory, const std::string& stem,
                                                const std::vector<OutputTensor>& tensors, const io::Checkpoint& checkpoint,
                                                Spool& spool, std::uint64_t maxShardBytes, const RunContext& context);

/// What io::Checkpoint::open() is given for files that writeTensors() returned.
const std::filesystem::path& outputEntryPoint(const std::vector<std::filesystem::path>& files);

} // namespace tamis::plan
