// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/safetensors.h"

#include "core/base/error.h"
#include "core/io/json_limits.h"
#include "core/io/mapped_file.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>
#include <unordered_set>

namespace tamis::io {
namespace {
using nlohmann::json;
constexpr std::uint64_t kLengthBytes = 8;
constexpr std::size_t kMaximumMetadata = 100'000; // entries

std::string tensorSubject(const std::string& file, std::string_view name)
{
    return file + ": tensor " + quotedName(name);
}

std::string rangeText(std::uint64_t begin, std::uint64_t end)
{
    return "[" + std::to_string(begin) + ", " + std::to_string(end) + ")";
}

// A tensor as the header spells it: offsets relative to the first byte after the header.
struct Description {
    std::string name;
    std::optional<tensor::DType> dtype;
    std::optional<std::vector<std::int64_t>> shape;
    std::optional<std::vector<std::uint64_t>> offsets;
};

// Reads the header as events: no document is built, and a key that occurs twice is seen.
class HeaderReader final : public nlohmann::json_sax<json>
{
public:
    HeaderReader(const std::string& subject, const RunContext& context) : m_subject(subject), m_context(context) {}
    std::vector<Description> tensors;
    std::map<std::string, std::string> metadata;

    bool null() override { return unexpected("null"); }
    bool boolean(bool value) override { return unexpected(value ? "true" : "false"); }
    bool number_integer(number_integer_t value) override { return number(value < 0, 0, std::to_string(value)); }
    bool number_unsigned(number_unsigned_t value) override { return number(false, value, std::to_string(value)); }
    bool number_float(number_float_t, const string_t& text) override
    {
        if (m_place == Place::Shape || m_place == Place::Offsets)
            fail(std::string(m_place == Place::Shape ? "a dimension" : "an offset") + " is " + quotedName(text) +
                 ", expected a whole number from 0 to 2^63 - 1");
        return unexpected(text);
    }
    bool binary(binary_t&) override { return unexpected("binary data"); }
    bool string(string_t& value) override
    {
        if (m_place == Place::Metadata) {
            *m_metadataValue = std::move(value);
            return true;
        }
        if (m_place != Place::Tensor || m_field != Field::DType)
            return unexpected("the string " + quotedName(value));
        const std::optional<tensor::DType> dtype = tensor::parseDType(value);
        if (!dtype)
            fail("has the unknown dtype " + quotedName(value) + ", expected F64, F32, F16, BF16, I64, I32, I16, I8, U8 or BOOL",
                 ErrorCode::UnsupportedFeature);
        tensors.back().dtype = dtype;
        return true;
    }
    bool start_object(std::size_t) override
    {
        if (m_place == Place::Nothing)
            m_place = Place::Root;
        else if (m_place == Place::Root)
            m_place = m_inMetadata ? Place::Metadata : Place::Tensor;
        else
            unexpected("an object");
        return true;
    }
    bool end_object() override
    {
        if (m_place == Place::Tensor)
            finishTensor();
        m_place = m_place == Place::Root ? Place::Nothing : Place::Root;
        m_inMetadata = false;
        return true;
    }
    bool start_array(std::size_t) override
    {
        if (m_place != Place::Tensor || m_field == Field::DType)
            return unexpected("an array");
        m_place = m_field == Field::Shape ? Place::Shape : Place::Offsets;
        return true;
    }
    bool end_array() override
    {
        m_place = Place::Tensor;
        return true;
    }
    bool key(string_t& name) override
    {
        if (m_place == Place::Root)
            rootKey(name);
        else if (m_place == Place::Metadata)
            metadataKey(name);
        else
            tensorKey(name);
        return true;
    }
    bool parse_error(std::size_t position, const std::string&, const json::exception& error) override
    {
        throw Error(ErrorCode::MalformedFile, "the header is not valid JSON: " + jsonErrorText(error.what()), m_subject,
                    kLengthBytes + position);
    }

private:
    enum class Place { Nothing, Root, Metadata, Tensor, Shape, Offsets };
    enum class Field { DType, Shape, Offsets };

    [[noreturn]] void fail(const std::string& message, ErrorCode code = ErrorCode::MalformedFile) const
    {
        const bool inTensor = m_place != Place::Nothing && m_place != Place::Metadata && !m_inMetadata && !tensors.empty();
        throw Error(code, message, inTensor ? tensorSubject(m_subject, tensors.back().name) : m_subject);
    }
    [[noreturn]] bool unexpected(const std::string& found) const
    {
        static constexpr const char* kExpected[] = {"an object that maps tensor names to descriptions",
                                                    "an object for each tensor",
                                                    "only strings in __metadata__",
                                                    "a string for dtype and arrays of whole numbers for shape and data_offsets",
                                                    "whole numbers in shape",
                                                    "whole numbers in data_offsets"};
        fail("the header holds " + found.substr(0, 200) + ", expected " + kExpected[static_cast<std::size_t>(m_place)]);
    }
    void rootKey(const std::string& name)
    {
        if (name.size() > kMaximumNameBytes)
            throw Error(ErrorCode::LimitExceeded,
                        "a tensor name has " + std::to_string(name.size()) + " bytes, at most " + std::to_string(kMaximumNameBytes) + " are read",
                        m_subject);
        if (!m_names.insert(name).second)
            throw Error(ErrorCode::MalformedFile, "the name " + quotedName(name) + " occurs twice in the header", m_subject);
        if (m_names.size() % 1024 == 0)
            m_context.throwIfStopped();
        m_inMetadata = name == "__metadata__";
        if (m_inMetadata)
            return;
        if (name.empty())
            throw Error(ErrorCode::MalformedFile, "a tensor has no name", m_subject);
        if (tensors.size() >= kMaximumTensors)
            throw Error(ErrorCode::LimitExceeded, "holds more than " + std::to_string(kMaximumTensors) + " tensors", m_subject);
        tensors.push_back({.name = name});
    }
    void metadataKey(const std::string& name)
    {
        if (metadata.size() >= kMaximumMetadata)
            throw Error(ErrorCode::LimitExceeded, "__metadata__ has more than " + std::to_string(kMaximumMetadata) + " entries", m_subject);
        const auto [place, isNew] = metadata.try_emplace(name);
        if (!isNew)
            throw Error(ErrorCode::MalformedFile, "the key " + quotedName(name) + " occurs twice in __metadata__", m_subject);
        m_metadataValue = &place->second;
    }
    void tensorKey(const std::string& name)
    {
        Description& tensor = tensors.back();
        bool twice = false;
        if (name == "dtype") {
            m_field = Field::DType;
            twice = tensor.dtype.has_value();
        } else if (name == "shape") {
            m_field = Field::Shape;
            twice = tensor.shape.has_value();
            tensor.shape.emplace();
        } else if (name == "data_offsets") {
            m_field = Field::Offsets;
            twice = tensor.offsets.has_value();
            tensor.offsets.emplace();
        } else {
            fail("has the unknown key " + quotedName(name) + ", expected dtype, shape and data_offsets", ErrorCode::UnsupportedFeature);
        }
        if (twice)
            fail("the key " + quotedName(name) + " occurs twice");
    }
    bool number(bool negative, std::uint64_t value, const std::string& text)
    {
        if (m_place != Place::Shape && m_place != Place::Offsets)
            return unexpected("the number " + text);
        Description& tensor = tensors.back();
        const bool isShape = m_place == Place::Shape;
        if (negative)
            fail(std::string(isShape ? "has the negative dimension " : "has the negative offset ") + text);
        if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
            fail(std::string(isShape ? "has the dimension " : "has the offset ") + text + ", expected at most 2^63 - 1");
        if (isShape && tensor.shape->size() >= kMaximumRank)
            fail("has more than " + std::to_string(kMaximumRank) + " dimensions", ErrorCode::LimitExceeded);
        if (!isShape && tensor.offsets->size() >= 2)
            fail("data_offsets holds more than two numbers");
        if (isShape)
            tensor.shape->push_back(static_cast<std::int64_t>(value));
        else
            tensor.offsets->push_back(value);
        return true;
    }
    void finishTensor() const
    {
        const Description& tensor = tensors.back();
        if (!tensor.dtype || !tensor.shape || !tensor.offsets)
            fail(std::string("lacks ") + (!tensor.dtype ? "dtype" : !tensor.shape ? "shape" : "data_offsets"));
        if (tensor.offsets->size() != 2)
            fail("data_offsets holds " + std::to_string(tensor.offsets->size()) + " numbers, expected two");
    }

    const std::string& m_subject;
    const RunContext& m_context;
    std::unordered_set<std::string> m_names;
    std::string* m_metadataValue = nullptr;
    Place m_place = Place::Nothing;
    Field m_field = Field::DType;
    bool m_inMetadata = false;
};

// The length of the JSON, checked against the file and against what is at hand.
std::uint64_t headerLength(std::span<const std::byte> bytes, std::uint64_t fileSize, const std::string& subject)
{
    if (fileSize == 0)
        throw Error(ErrorCode::MalformedFile, "is empty, expected a safetensors file", subject);
    static constexpr std::string_view kPointer = "version https://git-lfs";
    if (bytes.size() >= kPointer.size() && std::memcmp(bytes.data(), kPointer.data(), kPointer.size()) == 0)
        throw Error(ErrorCode::MalformedFile, "is a Git LFS pointer: the weights themselves were not downloaded", subject);
    if (fileSize < kLengthBytes || bytes.size() < kLengthBytes)
        throw Error(ErrorCode::MalformedFile,
                    "is truncated: found " + std::to_string(fileSize) + " bytes, a safetensors file begins with an 8-byte length", subject);
    std::uint64_t length = 0;
    std::memcpy(&length, bytes.data(), kLengthBytes);
    if (length > fileSize - kLengthBytes)
        throw Error(ErrorCode::MalformedFile,
                    "the header length " + std::to_string(length) + " reaches beyond the end of the file, which has " + std::to_string(fileSize) +
                        " bytes (truncated, or not a safetensors file)",
                    subject, 0);
    if (length > kMaximumSafetensorsHeader)
        throw Error(ErrorCode::LimitExceeded,
                    "the header has " + std::to_string(length) + " bytes, at most " + std::to_string(kMaximumSafetensorsHeader) + " are read",
                    subject, 0);
    if (length > bytes.size() - kLengthBytes)
        throw Error(ErrorCode::MalformedFile, "the header is not complete", subject, 0);
    if (length == 0 || static_cast<char>(bytes[kLengthBytes]) != '{')
        throw Error(ErrorCode::MalformedFile, "the header does not begin with {", subject, kLengthBytes);
    return length;
}

TensorEntry checkedEntry(Description& found, std::uint64_t dataBegin, std::uint64_t dataBytes, const std::string& file)
{
    const std::string subject = tensorSubject(file, found.name);
    const std::uint64_t begin = found.offsets->at(0), end = found.offsets->at(1);
    const std::uint64_t need = checkedTensorBytes(*found.dtype, *found.shape, subject);
    const std::string range = rangeText(begin, end);
    if (begin > end)
        throw Error(ErrorCode::MalformedFile, "data_offsets " + range + " run backwards", subject);
    if (end > dataBytes)
        throw Error(ErrorCode::MalformedFile,
                    "data_offsets " + range + " reach beyond the end of the file, whose data has " + std::to_string(dataBytes) +
                        " bytes (truncated?)",
                    subject, begin <= dataBytes ? dataBegin + begin : dataBegin + dataBytes);
    if (end - begin != need)
        throw Error(ErrorCode::MalformedFile,
                    "data_offsets " + range + " span " + std::to_string(end - begin) + " bytes, expected " + std::to_string(need) + " for " +
                        std::string(tensor::dtypeName(*found.dtype)) + " " + shapeText(*found.shape),
                    subject, dataBegin + begin);
    TensorEntry entry;
    entry.name = std::move(found.name);
    entry.dtype = *found.dtype;
    entry.shape = std::move(*found.shape);
    entry.bytes = need;
    entry.offset = dataBegin + begin;
    return entry;
}

// The tensors, in the order of their bytes, must cover the data exactly.
void checkCoverage(const std::vector<TensorEntry>& tensors, std::uint64_t dataBegin, std::uint64_t fileSize, const std::string& file)
{
    std::uint64_t expected = dataBegin;
    const TensorEntry* previous = nullptr;
    for (const TensorEntry& entry : tensors) {
        if (entry.offset < expected)
            throw Error(ErrorCode::MalformedFile,
                        "its bytes " + rangeText(entry.offset, entry.offset + entry.bytes) + " overlap those of " + quotedName(previous->name) +
                            ", which end at " + std::to_string(expected),
                        tensorSubject(file, entry.name), entry.offset);
        if (entry.offset > expected)
            throw Error(ErrorCode::MalformedFile,
                        "before it lie " + std::to_string(entry.offset - expected) + " bytes that belong to no tensor, the format allows no holes",
                        tensorSubject(file, entry.name), expected);
        expected = entry.offset + entry.bytes;
        previous = &entry;
    }
    if (expected != fileSize)
        throw Error(ErrorCode::MalformedFile, "the last " + std::to_string(fileSize - expected) + " bytes belong to no tensor", file, expected);
}
} // namespace

SafetensorsHeader parseSafetensorsHeader(std::span<const std::byte> bytes, std::uint64_t fileSize, const std::string& subject,
                                         const RunContext& context)
{
    const std::uint64_t length = headerLength(bytes, fileSize, subject);
    const char* text = reinterpret_cast<const char*>(bytes.data()) + kLengthBytes;
    HeaderReader reader(subject, context);
    json::sax_parse(text, text + length, &reader);

    SafetensorsHeader header;
    header.metadata = std::move(reader.metadata);
    header.tensors.reserve(reader.tensors.size());
    const std::uint64_t dataBegin = kLengthBytes + length;
    for (Description& found : reader.tensors)
        header.tensors.push_back(checkedEntry(found, dataBegin, fileSize - dataBegin, subject));
    std::sort(header.tensors.begin(), header.tensors.end(), [](const TensorEntry& a, const TensorEntry& b) {
        return a.offset != b.offset ? a.offset < b.offset : a.bytes != b.bytes ? a.bytes < b.bytes : a.name < b.name;
    });
    checkCoverage(header.tensors, dataBegin, fileSize, subject);
    return header;
}

SafetensorsHeader readSafetensorsHeader(const MappedFile& file, const RunContext& context)
{
    // The header is copied first: parsing allocates, which a visit of the mapping may not. A length beyond the file or
    // the limit is not believed; parseSafetensorsHeader says what is wrong with it.
    const std::string subject = file.path().string();
    std::uint64_t length = 0;
    if (file.size() >= kLengthBytes)
        file.copy(0, std::as_writable_bytes(std::span(&length, 1)), subject);
    constexpr std::uint64_t kProbe = 64; // enough to recognise a text file
    const bool plausible = file.size() >= kLengthBytes && length <= file.size() - kLengthBytes && length <= kMaximumSafetensorsHeader;
    std::vector<std::byte> bytes(plausible ? kLengthBytes + length : std::min(kProbe, file.size()));
    file.copy(0, bytes, subject);
    return parseSafetensorsHeader(bytes, file.size(), subject, context);
}

} // namespace tamis::io
