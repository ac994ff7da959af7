// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/part_store.h"

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/sha256.h"
#include "core/io/mapped_file.h"
#include "core/io/safetensors.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>

namespace tamis::lowrank {
namespace {
constexpr std::string_view kHeader = "tamis.shard-run/1";
constexpr std::uintmax_t kMostJournalBytes = 64u << 20;

std::vector<std::string> split(std::string_view text, char separator)
{
    std::vector<std::string> parts;
    for (std::size_t at = 0; at <= text.size();) {
        const std::size_t end = std::min(text.find(separator, at), text.size());
        parts.emplace_back(text.substr(at, end - at));
        at = end + 1;
    }
    return parts;
}

/// Exact, and the same everywhere.
std::string hexadecimal(double value)
{
    char text[40];
    const auto end = std::to_chars(text, text + sizeof text, value, std::chars_format::hex).ptr;
    return {text, end};
}

template <class Number> bool parsed(const std::string& text, Number& value)
{
    std::from_chars_result result{};
    if constexpr (std::is_floating_point_v<Number>)
        result = std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::hex);
    else
        result = std::from_chars(text.data(), text.data() + text.size(), value);
    return result.ec == std::errc() && result.ptr == text.data() + text.size();
}

std::string textOf(const std::filesystem::path& file)
{
    std::error_code failure;
    if (std::filesystem::file_size(file, failure) > kMostJournalBytes || failure)
        throw Error(failure ? ErrorCode::IoFailure : ErrorCode::LimitExceeded, failure ? "cannot be read: " + failure.message() : "is larger than a journal can be (64 MiB)",
                    file.string());
    std::ifstream stream(file, std::ios::binary);
    std::string text{std::istreambuf_iterator<char>(stream), {}};
    if (!stream)
        throw Error(ErrorCode::IoFailure, "cannot be read", file.string());
    return text;
}

bool plain(const std::string& text) { return !text.empty() && text.find_first_of("\t\n\r") == std::string::npos; }

/// Indices first: the widest type leads, so that every tensor is aligned.
bool wider(tensor::DType a, tensor::DType b) { return tensor::dtypeSize(a) > tensor::dtypeSize(b); }
} // namespace

PartStore::PartStore(std::filesystem::path directory, std::vector<std::string> key) : m_directory(std::move(directory)), m_key(std::move(key))
{
    std::error_code failure;
    std::filesystem::create_directories(m_directory / "parts", failure);
    if (failure)
        throw Error(ErrorCode::IoFailure, "cannot be made: " + failure.message(), (m_directory / "parts").string());
    if (const auto journal = m_directory / kJournal; std::filesystem::exists(journal))
        read(textOf(journal));
    else
        save();
}

void PartStore::read(const std::string& text)
{
    const std::string subject = (m_directory / kJournal).string();
    const auto malformed = [&](std::size_t line) {
        throw Error(ErrorCode::MalformedFile, "line " + std::to_string(line + 1) + " is not one of a journal of finished operators", subject);
    };
    const auto lines = split(text, '\n');
    if (lines.front() != kHeader)
        malformed(0);
    std::size_t at = 1;
    for (std::size_t i = 0; at < lines.size() && lines[at].starts_with("key\t"); ++at, ++i) {
        const std::string found = lines[at].substr(4), expected = i < m_key.size() ? m_key[i] : "nothing";
        if (found != expected)
            throw Error(ErrorCode::InvalidParameter, "belongs to another run: found '" + found + "', expected '" + expected + "'; choose another directory or remove this one", subject);
    }
    if (at - 1 != m_key.size())
        malformed(at);
    for (; at < lines.size() && !lines[at].empty(); ++at) {
        const auto fields = split(lines[at], '\t');
        Entry entry;
        if (fields.size() != 7 || !parsed(fields[2], entry.part.rank) || !parsed(fields[3], entry.part.loss) || !parsed(fields[4], entry.part.energy))
            malformed(at);
        entry.part.name = fields[0];
        entry.part.layout = fields[1];
        entry.file = fields[5];
        entry.sha256 = fields[6];
        if (std::filesystem::path(entry.file).filename() != entry.file || entry.part.rank < 0)
            malformed(at); // a part lies among the parts
        m_at[entry.part.name] = m_entries.size();
        m_entries.push_back(std::move(entry));
    }
}

void PartStore::save() const
{
    std::string text = std::string(kHeader) + '\n';
    for (const std::string& line : m_key)
        text += "key\t" + line + '\n';
    for (const auto& [part, file, sha256] : m_entries)
        text += part.name + '\t' + part.layout + '\t' + std::to_string(part.rank) + '\t' + hexadecimal(part.loss) + '\t' + hexadecimal(part.energy) + '\t' + file + '\t' + sha256 + '\n';
    writeFileAtomically(m_directory / kJournal, text);
}

std::optional<Part> PartStore::find(const std::string& name, const RunContext& context) const
{
    const auto found = m_at.find(name);
    if (found == m_at.end())
        return std::nullopt;
    const Entry& entry = m_entries[found->second];
    const auto file = m_directory / "parts" / entry.file;
    if (!std::filesystem::is_regular_file(file) || sha256OfFiles({file}, context) != entry.sha256)
        return std::nullopt;
    return entry.part;
}

void PartStore::write(const Part& part, const std::vector<nn::NamedTensor>& tensors, const RunContext& context)
{
    if (!plain(part.name) || !plain(part.layout))
        throw Error(ErrorCode::InvalidParameter, "cannot stand in a journal: a name must not be empty or hold a tab or line break", part.name);
    std::vector<io::TensorDeclaration> declarations;
    for (const nn::NamedTensor& tensor : tensors)
        declarations.push_back({tensor.name, tensor.indices.empty() ? tensor::DType::F32 : tensor::DType::I64, tensor.shape});
    std::ranges::stable_sort(declarations, wider, &io::TensorDeclaration::dtype);
    const auto known = m_at.find(part.name);
    const std::string file = known != m_at.end() ? m_entries[known->second].file : std::to_string(m_entries.size()) + ".safetensors";
    const auto path = m_directory / "parts" / file;
    io::SafetensorsWriter writer(path, declarations, {{"format", "pt"}});
    for (const auto& declaration : declarations) {
        context.throwIfStopped();
        const auto tensor = std::ranges::find(tensors, declaration.name, &nn::NamedTensor::name);
        if (tensor->indices.empty())
            writer.appendValues(tensor->name, std::span<const float>(tensor->values));
        else
            writer.append(tensor->name, std::as_bytes(std::span(tensor->indices)));
    }
    writer.commit();
    Entry entry{part, file, sha256OfFiles({path}, context)};
    if (known != m_at.end())
        m_entries[known->second] = std::move(entry);
    else {
        m_at[part.name] = m_entries.size();
        m_entries.push_back(std::move(entry));
    }
    save();
}

void PartStore::assemble(const std::vector<std::string>& names, const std::filesystem::path& target, const RunContext& context) const
{
    struct Source {
        std::shared_ptr<const io::MappedFile> file;
        io::TensorEntry entry;
    };
    std::vector<Source> sources;
    for (const std::string& name : names) {
        const auto found = m_at.find(name);
        if (found == m_at.end())
            throw Error(ErrorCode::InvalidParameter, "is not among the finished operators", name);
        const auto file = io::MappedFile::open(m_directory / "parts" / m_entries[found->second].file);
        for (io::TensorEntry& entry : io::readSafetensorsHeader(*file, context).tensors)
            sources.push_back({file, std::move(entry)});
    }
    std::ranges::stable_sort(sources, wider, [](const Source& source) { return source.entry.dtype; });
    std::vector<io::TensorDeclaration> declarations;
    for (const Source& source : sources)
        declarations.push_back({source.entry.name, source.entry.dtype, source.entry.shape});
    io::SafetensorsWriter writer(target, declarations, {{"format", "pt"}});
    std::vector<std::byte> buffer(4u << 20);
    std::uint64_t written = 0;
    for (const Source& source : sources)
        for (std::uint64_t at = 0; at < source.entry.bytes;) {
            context.throwIfStopped();
            const std::span<std::byte> piece(buffer.data(), std::min<std::uint64_t>(buffer.size(), source.entry.bytes - at));
            source.file->copy(source.entry.offset + at, piece, source.file->path().string());
            writer.append(source.entry.name, piece);
            at += piece.size();
            context.setFraction(static_cast<double>(written += piece.size()) / static_cast<double>(writer.fileSize()));
        }
    writer.commit();
}

void PartStore::removeParts() const
{
    std::error_code ignored; // what stays behind takes room and does no harm
    std::filesystem::remove_all(m_directory / "parts", ignored);
}

} // namespace tamis::lowrank
