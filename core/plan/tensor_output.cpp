// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/plan/tensor_output.h"

#include "core/base/error.h"
#include "core/plan/plan_json.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>

namespace tamis::plan {
namespace {

constexpr std::size_t kPiece = std::size_t{4} << 20; // bytes between looks at the stop

std::string shardName(const std::string& stem, std::size_t number, std::size_t count)
{
    char text[80]; // two numbers of up to 20 digits and 17 letters
    std::snprintf(text, sizeof text, "-%05zu-of-%05zu.safetensors", number, count);
    return stem + text;
}

// Consecutive tensors, each group at most `limit` bytes unless a single tensor is larger.
std::vector<std::vector<const OutputTensor*>> inShards(const std::vector<OutputTensor>& tensors, std::uint64_t limit)
{
    std::vector<std::vector<const OutputTensor*>> shards(1);
    std::uint64_t filled = 0;
    for (const auto& tensor : tensors) {
        if (!shards.back().empty() && (tensor.bytes() > limit || filled > limit - tensor.bytes())) {
            shards.emplace_back();
            filled = 0;
        }
        shards.back().push_back(&tensor);
        filled += tensor.bytes();
    }
    for (auto& shard : shards)
        std::ranges::stable_sort(shard, std::greater(), [](const OutputTensor* tensor) {
            return tensor::dtypeSize(tensor->declaration.dtype);
        });
    return shards;
}

void writeShard(const std::filesystem::path& file, const std::vector<const OutputTensor*>& tensors,
                const io::Checkpoint& checkpoint, Spool& spool, const RunContext& context)
{
    std::vector<io::TensorDeclaration> declarations;
    std::uint64_t all = 1, done = 0;
    for (const auto* tensor : tensors) {
        declarations.push_back(tensor->declaration);
        all += tensor->bytes();
    }
    io::SafetensorsWriter writer(file, std::move(declarations), {{"format", "pt"}}); // Transformers asks for the format
    for (const auto* tensor : tensors) {
        const auto bytes = tensor->source ? checkpoint.readBytes(*tensor->source) : spool.read(tensor->range);
        for (std::size_t from = 0; from < bytes.size(); from += kPiece) {
            context.throwIfStopped();
            const auto piece = std::span(bytes).subspan(from, std::min(kPiece, bytes.size() - from));
            writer.append(tensor->declaration.name, piece);
            done += piece.size();
            context.setFraction(static_cast<double>(done) / static_cast<double>(all));
        }
    }
    context.throwIfStopped();
    writer.commit();
}

} // namespace

Spool::Spool(const std::filesystem::path& directory) : m_file(directory / "spool") {}

Spool::Range Spool::append(std::span<const std::byte> bytes)
{
    const Range range{m_file.position(), bytes.size()};
    m_file.write(bytes);
    return range;
}

std::vector<std::byte> Spool::read(const Range& range)
{
    if (!m_reader.is_open())
        m_reader.open(m_file.temporaryPath(), std::ios::binary);
    std::vector<std::byte> bytes(range.bytes);
    m_reader.seekg(static_cast<std::streamoff>(range.offset));
    m_reader.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    if (!m_reader)
        throw Error(ErrorCode::IoFailure, "what was just written cannot be read back", m_file.temporaryPath().string());
    return bytes;
}

std::vector<std::filesystem::path> writeTensors(const std::filesystem::path& directory, const std::string& stem,
                                                const std::vector<OutputTensor>& tensors, const io::Checkpoint& checkpoint,
                                                Spool& spool, std::uint64_t maxShardBytes, const RunContext& context)
{
    const auto shards = inShards(tensors, maxShardBytes);
    if (shards.size() == 1) {
        const auto file = directory / (stem + ".safetensors");
        writeShard(file, shards.front(), checkpoint, spool, context);
        return {file};
    }
    std::vector<std::filesystem::path> files{directory / (stem + ".safetensors.index.json")};
    std::uint64_t total = 0;
    nlohmann::ordered_json map = nlohmann::ordered_json::object();
    for (std::size_t i = 0; i < shards.size(); ++i) {
        const std::string name = shardName(stem, i + 1, shards.size());
        writeShard(directory / name, shards[i], checkpoint, spool, context.part(1, name));
        files.push_back(directory / name);
        for (const auto* tensor : shards[i]) {
            map[tensor->declaration.name] = name;
            total += tensor->bytes();
        }
    }
    nlohmann::ordered_json index;
    index["metadata"]["total_size"] = total;
    index["weight_map"] = std::move(map);
    writeFileAtomically(files.front(), jsonText(index));
    return files;
}

const std::filesystem::path& outputEntryPoint(const std::vector<std::filesystem::path>& files)
{
    return files.front();
}

} // namespace tamis::plan
