// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/weight_files.h"

#include "core/base/error.h"
#include "core/io/json_limits.h"
#include "core/io/npz.h"
#include "core/io/safetensors.h"
#include "core/io/shard_index.h"

#include <algorithm>
#include <unordered_map>

namespace tamis::io {
namespace {
namespace fs = std::filesystem;
constexpr std::string_view kWeights = "model.safetensors";
constexpr std::string_view kIndexSuffix = ".safetensors.index.json";
constexpr std::size_t kShardIndexBytes = 100'000'000;

std::optional<fs::path> existing(const fs::path& file)
{
    std::error_code ignored;
    return fs::exists(file, ignored) ? std::optional(file) : std::nullopt;
}

WeightLocation locateInDirectory(const fs::path& directory)
{
    using Kind = WeightLocation::Kind;
    const std::optional<fs::path> config = existing(directory / "config.json");
    if (const auto single = existing(directory / kWeights))
        return {Kind::Safetensors, *single, config};
    if (const auto index = existing(directory / (std::string("model") + std::string(kIndexSuffix))))
        return {Kind::ShardIndex, *index, config};
    std::vector<fs::path> indexes, files;
    std::error_code error;
    for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
        const std::string name = entry->path().filename().string();
        if (name.ends_with(kIndexSuffix))
            indexes.push_back(entry->path());
        else if (name.ends_with(".safetensors"))
            files.push_back(entry->path());
    }
    if (error)
        throw Error(ErrorCode::IoFailure, "cannot be listed: " + error.message(), directory.string());
    if (indexes.size() == 1)
        return {Kind::ShardIndex, indexes.front(), config};
    if (indexes.empty() && files.size() == 1)
        return {Kind::Safetensors, files.front(), config};
    if (indexes.empty() && files.empty())
        throw Error(ErrorCode::UnsupportedFeature, "the directory holds no weights, expected model.safetensors or model.safetensors.index.json",
                    directory.string());
    throw Error(ErrorCode::UnsupportedFeature,
                "the directory holds " + std::to_string(files.size()) + " safetensors files and " + std::to_string(indexes.size()) +
                    " indexes, none called model.safetensors: open the one that is meant",
                directory.string());
}

WeightFiles openSingle(const fs::path& file, const RunContext& context)
{
    WeightFiles opened;
    opened.format = "safetensors";
    opened.files.push_back(MappedFile::open(file));
    opened.tensors = readSafetensorsHeader(*opened.files.front(), context).tensors;
    return opened;
}

std::shared_ptr<const MappedFile> openShard(const fs::path& file, const fs::path& index)
{
    std::error_code ignored;
    if (!fs::exists(fs::symlink_status(file, ignored)))
        throw Error(ErrorCode::IoFailure, "the shard is missing, " + quotedName(index.filename().string()) + " names it", file.string());
    return MappedFile::open(file);
}

// Adds the tensors of one shard; `seen` maps names to the shard they came from.
void addShard(WeightFiles& opened, std::size_t number, const ShardIndex& index, std::unordered_map<std::string, std::size_t>& seen,
              std::size_t& unlisted, const RunContext& context)
{
    const MappedFile& file = *opened.files[number];
    for (TensorEntry& entry : readSafetensorsHeader(file, context).tensors) {
        const auto [place, isNew] = seen.try_emplace(entry.name, number);
        if (!isNew)
            throw Error(ErrorCode::MalformedFile, "is also in the shard " + quotedName(index.files[place->second]) + ", expected in one only",
                        tensorSubject(file.path(), entry));
        unlisted += index.weightMap.contains(entry.name) ? 0 : 1;
        if (opened.tensors.size() >= kMaximumTensors)
            throw Error(ErrorCode::LimitExceeded, "the shards hold more than " + std::to_string(kMaximumTensors) + " tensors", file.path().string());
        entry.file = number;
        opened.tensors.push_back(std::move(entry));
    }
}

WeightFiles openSharded(const fs::path& indexFile, const RunContext& context)
{
    const std::string subject = indexFile.string();
    const ShardIndex index = parseShardIndex(readSmallFile(indexFile, kShardIndexBytes), subject);
    WeightFiles opened;
    opened.format = "safetensors-sharded";
    std::unordered_map<std::string, std::size_t> seen;
    std::size_t unlisted = 0;
    for (std::size_t number = 0; number < index.files.size(); ++number) {
        context.throwIfStopped();
        opened.files.push_back(openShard(indexFile.parent_path() / index.files[number], indexFile));
        addShard(opened, number, index, seen, unlisted, context);
        context.setFraction(static_cast<double>(number + 1) / static_cast<double>(index.files.size()));
    }
    for (const auto& [name, shard] : index.weightMap) {
        const auto found = seen.find(name);
        if (found == seen.end() || found->second != shard)
            throw Error(ErrorCode::MalformedFile,
                        "weight_map puts tensor " + quotedName(name) + " into " + quotedName(index.files[shard]) + ", which does not hold it" +
                            (found == seen.end() ? "" : " (found in " + quotedName(index.files[found->second]) + ")"),
                        subject);
    }
    if (unlisted > 0)
        context.warn(subject + ": the shards hold " + std::to_string(unlisted) + " tensors that weight_map does not list");
    std::uint64_t total = 0;
    for (const TensorEntry& entry : opened.tensors)
        total += entry.bytes;
    if (index.totalSize && *index.totalSize != total)
        context.warn(subject + ": total_size is " + std::to_string(*index.totalSize) + ", the tensors have " + std::to_string(total) + " bytes");
    return opened;
}

void checkName(const std::string& name, const fs::path& file)
{
    if (name.empty() || name.size() > kMaximumNameBytes)
        throw Error(ErrorCode::MalformedFile,
                    "an array has a name of " + std::to_string(name.size()) + " bytes, expected 1 to " + std::to_string(kMaximumNameBytes), file.string());
}

TensorEntry entryOf(const std::string& name, const NpyHeader& header, std::uint64_t offset, const fs::path& file)
{
    checkName(name, file);
    TensorEntry entry;
    entry.name = name;
    entry.dtype = header.dtype;
    entry.shape = header.shape;
    entry.offset = offset;
    entry.bytes = checkedTensorBytes(header.dtype, header.shape, tensorSubject(file, entry));
    return entry;
}

// One array, called as its file. Little-endian row-major elements are read in place.
WeightFiles openNpy(const fs::path& path)
{
    WeightFiles opened;
    opened.format = "npy";
    const auto file = opened.files.emplace_back(MappedFile::open(path));
    const std::string subject = path.string();
    std::vector<std::byte> start(std::min<std::uint64_t>(file->size(), 12));
    file->copy(0, start, subject);
    start.resize(std::min(file->size(), npyHeaderBytes(start, subject)));
    file->copy(0, start, subject);
    const NpyHeader header = parseNpyHeader(start, file->size(), subject);
    opened.tensors.push_back(entryOf(path.stem().string(), header, header.dataOffset, path));
    if (header.bigEndian || header.fortranOrder)
        opened.decode = [file, header](const TensorEntry& entry) {
            std::vector<std::byte> stored(entry.bytes);
            file->copy(entry.offset, stored, tensorSubject(file->path(), entry));
            return normaliseNpyElements(header, std::move(stored));
        };
    return opened;
}

WeightFiles openNpz(const fs::path& path)
{
    WeightFiles opened;
    opened.format = "npz";
    opened.files.push_back(MappedFile::open(path)); // for the digest; the archive keeps a mapping of its own
    const std::shared_ptr<const NpzArchive> archive = NpzArchive::open(path);
    for (const NpzMember& member : archive->members())
        if (member.unsupported.empty()) // texts and the like are no weights
            opened.tensors.push_back(entryOf(member.name, member.header, member.dataOffset, path));
    opened.decode = [archive](const TensorEntry& entry) { return archive->read(entry.name).bytes; };
    return opened;
}
} // namespace

WeightLocation locateWeights(const fs::path& path)
{
    using Kind = WeightLocation::Kind;
    std::error_code error;
    const fs::file_status status = fs::status(path, error);
    if (!fs::exists(status))
        throw Error(ErrorCode::IoFailure, "cannot be opened: " + (error ? error.message() : "No such file or directory"), path.string());
    if (fs::is_directory(status))
        return locateInDirectory(path);
    const std::string name = path.filename().string();
    const std::optional<fs::path> config = existing(path.parent_path() / "config.json");
    if (name.ends_with(kIndexSuffix))
        return {Kind::ShardIndex, path, config};
    if (name.ends_with(".safetensors"))
        return {Kind::Safetensors, path, config};
    if (name.ends_with(".npy")) // plain matrices: a config.json nearby is not about them
        return {Kind::Npy, path, std::nullopt};
    if (name.ends_with(".npz"))
        return {Kind::Npz, path, std::nullopt};
    throw Error(ErrorCode::UnsupportedFeature,
                "is no kind of file that holds weights, expected .safetensors, .safetensors.index.json, .npy, .npz or a directory",
                path.string());
}

WeightFiles openWeights(const WeightLocation& location, const RunContext& context)
{
    context.throwIfStopped();
    switch (location.kind) {
    case WeightLocation::Kind::Safetensors: return openSingle(location.file, context);
    case WeightLocation::Kind::ShardIndex: return openSharded(location.file, context);
    case WeightLocation::Kind::Npy: return openNpy(location.file);
    case WeightLocation::Kind::Npz: return openNpz(location.file);
    }
    throw Error(ErrorCode::InvalidParameter, "is of no known kind", location.file.string());
}

std::string tensorSubject(const fs::path& file, const TensorEntry& entry)
{
    return file.string() + ": tensor " + quotedName(entry.name);
}

} // namespace tamis::io
