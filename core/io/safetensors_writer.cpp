// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/safetensors.h"

#include "core/base/error.h"
#include "core/io/json_limits.h"
#include "core/tensor/convert.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <limits>
#include <unordered_set>

namespace tamis::io {
namespace {
std::string jsonString(const std::string& text, const std::string& subject)
{
    try {
        return nlohmann::json(text).dump();
    } catch (const nlohmann::json::exception&) {
        throw Error(ErrorCode::InvalidParameter, "the name " + quotedName(jsonErrorText(text)) + " is not valid UTF-8", subject);
    }
}

std::string headerText(const std::vector<TensorDeclaration>& tensors, const std::vector<std::uint64_t>& sizes,
                       const std::map<std::string, std::string>& metadata, const std::string& subject)
{
    std::string text = "{";
    if (!metadata.empty()) {
        text += "\"__metadata__\":{";
        for (const auto& [key, value] : metadata)
            text += (text.back() == '{' ? "" : ",") + jsonString(key, subject) + ":" + jsonString(value, subject);
        text += "}";
    }
    std::uint64_t offset = 0;
    for (std::size_t i = 0; i < tensors.size(); ++i) {
        text += (text.size() == 1 ? "" : ",") + jsonString(tensors[i].name, subject) + ":{\"dtype\":\"" +
                std::string(tensor::dtypeName(tensors[i].dtype)) + "\",\"shape\":" + shapeText(tensors[i].shape) + ",\"data_offsets\":[" +
                std::to_string(offset) + "," + std::to_string(offset + sizes[i]) + "]}";
        offset += sizes[i];
    }
    text += "}";
    text.append((8 - text.size() % 8) % 8, ' '); // the data begins aligned
    return text;
}
} // namespace

SafetensorsWriter::SafetensorsWriter(std::filesystem::path target, std::vector<TensorDeclaration> tensors,
                                     const std::map<std::string, std::string>& metadata)
    : m_subject(target.string()), m_file(std::move(target))
{
    const auto refuse = [&](const std::string& message) { throw Error(ErrorCode::InvalidParameter, message, m_subject); };
    std::unordered_set<std::string> names;
    std::vector<std::uint64_t> sizes;
    std::uint64_t total = 0;
    for (const TensorDeclaration& declaration : tensors) {
        if (declaration.name.empty() || declaration.name == "__metadata__" || declaration.name.size() > kMaximumNameBytes)
            refuse("a tensor cannot be called " + quotedName(declaration.name));
        if (!names.insert(declaration.name).second)
            refuse("the tensor " + quotedName(declaration.name) + " is declared twice");
        try {
            sizes.push_back(checkedTensorBytes(declaration.dtype, declaration.shape, m_subject));
        } catch (const Error& error) {
            refuse("the tensor " + quotedName(declaration.name) + " " + error.message());
        }
        if (sizes.back() > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) - total)
            refuse("the tensors together are larger than a file can be");
        total += sizes.back();
    }
    const std::string header = headerText(tensors, sizes, metadata, m_subject);
    if (header.size() > kMaximumSafetensorsHeader || tensors.size() > kMaximumTensors)
        throw Error(ErrorCode::LimitExceeded, "the header would have " + std::to_string(header.size()) + " bytes for " +
                                                  std::to_string(tensors.size()) + " tensors, which readers refuse",
                    m_subject);
    const std::uint64_t length = header.size();
    m_fileSize = sizeof(length) + length;
    for (std::size_t i = 0; i < tensors.size(); ++i) {
        m_tensors.push_back({.declaration = std::move(tensors[i]), .bytes = sizes[i], .offset = m_fileSize});
        m_fileSize += sizes[i];
    }
    m_file.write(std::as_bytes(std::span(&length, 1)));
    m_file.write(header);
    skipComplete();
}

void SafetensorsWriter::skipComplete() noexcept
{
    while (m_current < m_tensors.size() && m_tensors[m_current].written == m_tensors[m_current].bytes)
        ++m_current;
}

void SafetensorsWriter::requireRoom(const Pending& pending, std::uint64_t bytes) const
{
    if (bytes > pending.bytes - pending.written)
        throw Error(ErrorCode::InvalidParameter,
                    "found " + std::to_string(bytes) + " more bytes for " + quotedName(pending.declaration.name) + ", expected at most " + std::to_string(pending.bytes - pending.written), m_subject);
}

SafetensorsWriter::Pending& SafetensorsWriter::inTurn(std::string_view tensor, std::uint64_t bytes)
{
    const auto refuse = [&](const std::string& message) { throw Error(ErrorCode::InvalidParameter, message, m_subject); };
    if (m_current >= m_tensors.size())
        refuse("all declared bytes are written, found more for " + quotedName(tensor));
    Pending& pending = m_tensors[m_current];
    if (pending.declaration.name != tensor)
        refuse("found bytes for " + quotedName(tensor) + ", expected " + quotedName(pending.declaration.name) + " first");
    requireRoom(pending, bytes);
    return pending;
}

void SafetensorsWriter::write(Pending& pending, std::span<const std::byte> bytes)
{
    m_file.writeAt(pending.offset + pending.written, bytes);
    pending.written += bytes.size();
    skipComplete();
}

void SafetensorsWriter::append(std::string_view tensor, std::span<const std::byte> bytes)
{
    if (!bytes.empty())
        write(inTurn(tensor, bytes.size()), bytes);
}

void SafetensorsWriter::appendBeside(std::string_view tensor, std::span<const std::byte> bytes)
{
    const auto found = std::ranges::find_if(m_tensors, [&](const Pending& pending) { return pending.declaration.name == tensor; });
    if (found == m_tensors.end())
        throw Error(ErrorCode::InvalidParameter, "found bytes for " + quotedName(tensor) + ", which is not declared", m_subject);
    requireRoom(*found, bytes.size());
    write(*found, bytes);
}

template <class T> void SafetensorsWriter::appendEncoded(std::string_view tensor, std::span<const T> values)
{
    if (values.empty())
        return;
    const tensor::DType dtype = inTurn(tensor, 0).declaration.dtype;
    const std::size_t size = tensor::dtypeSize(dtype);
    inTurn(tensor, values.size() * size);
    std::vector<std::byte> block(size * std::min<std::size_t>(values.size(), 1u << 16));
    while (!values.empty()) {
        const std::span<const T> part = values.first(std::min(values.size(), block.size() / size));
        const std::span<std::byte> encoded = std::span(block).first(part.size() * size);
        tensor::encode(dtype, part, encoded);
        append(tensor, encoded);
        values = values.subspan(part.size());
    }
}

void SafetensorsWriter::appendValues(std::string_view tensor, std::span<const float> values)
{
    appendEncoded(tensor, values);
}

void SafetensorsWriter::appendValues(std::string_view tensor, std::span<const double> values)
{
    appendEncoded(tensor, values);
}

void SafetensorsWriter::commit()
{
    if (m_current < m_tensors.size())
        throw Error(ErrorCode::InvalidParameter,
                    "the tensor " + quotedName(m_tensors[m_current].declaration.name) + " lacks " +
                        std::to_string(m_tensors[m_current].bytes - m_tensors[m_current].written) + " of " + std::to_string(m_tensors[m_current].bytes) + " bytes",
                    m_subject);
    m_file.commit();
}

} // namespace tamis::io
