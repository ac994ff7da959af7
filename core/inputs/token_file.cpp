// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inputs/token_file.h"

#include "core/base/error.h"
#include "core/inputs/text_lines.h"
#include "core/io/json_limits.h"
#include "core/io/npy.h"
#include "core/tensor/dtype.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>

namespace tamis::inputs {
namespace {

constexpr std::string_view kNpyMagic("\x93NUMPY", 6);

void refuseCount(const std::string& subject)
{
    throw Error(ErrorCode::LimitExceeded,
                "holds more than " + std::to_string(kMaximumTokens) + " tokens or " + std::to_string(kMaximumTokenSequences) + " sequences", subject);
}

/// NumPy's unsigned words ('<u2', '>u4' ...) are spelt as the signed ones of their size, which the array reader knows. The
/// only text value of a header is that type. Returns whether there was such a word.
bool spellSigned(std::span<std::byte> bytes, const std::string& subject)
{
    const std::size_t header = std::min<std::uint64_t>(io::npyHeaderBytes(bytes, subject), bytes.size());
    for (std::size_t at = 0; at + 5 <= header; ++at) {
        char word[5];
        std::memcpy(word, bytes.data() + at, 5);
        const bool quoted = (word[0] == '\'' || word[0] == '"') && word[4] == word[0];
        const bool ordered = word[1] == '<' || word[1] == '>' || word[1] == '=' || word[1] == '|';
        if (quoted && ordered && word[2] == 'u' && (word[3] == '2' || word[3] == '4' || word[3] == '8')) {
            bytes[at + 2] = std::byte{'i'};
            return true;
        }
    }
    return false;
}

template <class Element> std::vector<std::int64_t> widened(const std::vector<std::byte>& bytes)
{
    std::vector<std::int64_t> ids(bytes.size() / sizeof(Element));
    for (std::size_t i = 0; i < ids.size(); ++i) {
        Element value;
        std::memcpy(&value, bytes.data() + i * sizeof(Element), sizeof(Element));
        if constexpr (sizeof(Element) == 8 && std::is_unsigned_v<Element>) // far beyond every vocabulary
            ids[i] = static_cast<std::int64_t>(std::min<Element>(value, std::numeric_limits<std::int64_t>::max()));
        else
            ids[i] = value;
    }
    return ids;
}

std::vector<std::int64_t> wideIds(const io::NpyArray& array, bool isUnsigned, const std::string& subject)
{
    using tensor::DType;
    switch (array.dtype) {
    case DType::I64:
        return isUnsigned ? widened<std::uint64_t>(array.bytes) : widened<std::int64_t>(array.bytes);
    case DType::I32:
        return isUnsigned ? widened<std::uint32_t>(array.bytes) : widened<std::int32_t>(array.bytes);
    case DType::I16:
        return isUnsigned ? widened<std::uint16_t>(array.bytes) : widened<std::int16_t>(array.bytes);
    case DType::I8:
        return widened<std::int8_t>(array.bytes);
    case DType::U8:
        return widened<std::uint8_t>(array.bytes);
    default:
        throw Error(ErrorCode::UnsupportedFeature,
                    "holds " + std::string(tensor::dtypeName(array.dtype)) + " elements, expected token ids of an integer type", subject);
    }
}

std::vector<std::int32_t> narrowed(std::span<const std::int64_t> ids)
{
    std::vector<std::int32_t> result(ids.size());
    std::transform(ids.begin(), ids.end(), result.begin(), [](std::int64_t id) { return static_cast<std::int32_t>(id); });
    return result;
}

constexpr bool isSeparator(char c) { return c == ' ' || c == '\t' || c == ',' || c == '\v' || c == '\f'; }

/// The numbers of one line.
void parseLine(std::string_view line, std::size_t number, const std::string& subject, std::vector<std::int64_t>& ids)
{
    ids.clear();
    for (const char *at = line.data(), *end = at + line.size(); at != end;) {
        if (isSeparator(*at)) {
            ++at;
            continue;
        }
        const char* wordEnd = std::find_if(at, end, isSeparator);
        std::int64_t id = 0;
        const auto [stop, problem] = std::from_chars(at, wordEnd, id);
        if (problem != std::errc() || stop != wordEnd)
            refuseLine(number, "found " + io::quotedName({at, static_cast<std::size_t>(wordEnd - at)}) + ", expected token ids in whole numbers", subject);
        ids.push_back(id);
        at = wordEnd;
    }
}

} // namespace

void checkTokenIds(std::span<const std::int64_t> ids, std::int64_t vocabulary, const std::string& subject, std::int64_t sequence)
{
    const std::int64_t bound = vocabulary > 0 ? vocabulary : std::int64_t{std::numeric_limits<std::int32_t>::max()} + 1;
    for (std::size_t position = 0; position < ids.size(); ++position) {
        if (ids[position] >= 0 && ids[position] < bound)
            continue;
        const std::string where = "token id " + std::to_string(ids[position]) + " at position " + std::to_string(position) +
                                  (sequence >= 0 ? " of sequence " + std::to_string(sequence) : "");
        throw Error(ErrorCode::InvalidParameter,
                    ids[position] < 0 ? where + " is negative" : where + " is beyond the vocabulary of " + std::to_string(bound), subject);
    }
}

TokenSequences parseTokenArray(std::span<const std::byte> bytes, std::int64_t vocabulary, const std::string& subject)
{
    std::vector<std::byte> copy(bytes.begin(), bytes.end());
    const bool isUnsigned = spellSigned(copy, subject);
    const io::NpyArray array = io::parseNpy(copy, subject);
    if (array.shape.empty() || array.shape.size() > 2)
        throw Error(ErrorCode::UnsupportedFeature, "has " + std::to_string(array.shape.size()) + " dimensions, expected [tokens] or [sequences, tokens]",
                    subject);
    if (array.elements() == 0)
        throw Error(ErrorCode::MalformedFile, "holds no tokens", subject);
    const auto sequences = static_cast<std::size_t>(array.shape.size() == 2 ? array.shape[0] : 1);
    if (array.elements() > kMaximumTokens || sequences > kMaximumTokenSequences)
        refuseCount(subject);
    const std::vector<std::int64_t> ids = wideIds(array, isUnsigned, subject);
    const std::size_t length = ids.size() / sequences;
    TokenSequences result;
    result.reserve(sequences);
    for (std::size_t i = 0; i < sequences; ++i) {
        const std::span<const std::int64_t> row(ids.data() + i * length, length);
        checkTokenIds(row, vocabulary, subject, array.shape.size() == 2 ? static_cast<std::int64_t>(i) : -1);
        result.push_back(narrowed(row));
    }
    return result;
}

TokenSequences parseTokenText(std::string_view text, std::int64_t vocabulary, const std::string& subject)
{
    TokenSequences result;
    std::size_t total = 0;
    std::vector<std::int64_t> ids;
    TextLines lines(text);
    for (std::string_view line; lines.next(line);) {
        if (line.starts_with('#'))
            continue;
        parseLine(line, lines.number(), subject, ids);
        if (ids.empty())
            continue;
        total += ids.size();
        if (total > kMaximumTokens || result.size() == kMaximumTokenSequences)
            refuseCount(subject);
        // Of the first line, most often the only one, the position says enough.
        checkTokenIds(ids, vocabulary, subject, result.empty() ? -1 : static_cast<std::int64_t>(result.size()));
        result.push_back(narrowed(ids));
    }
    if (result.empty())
        throw Error(ErrorCode::MalformedFile, "holds no tokens, expected whole numbers with white space between them", subject);
    return result;
}

TokenSequences readTokenFile(const std::filesystem::path& file, std::int64_t vocabulary)
{
    const std::string bytes = io::readSmallFile(file, kMaximumTokenFileBytes);
    if (bytes.starts_with(kNpyMagic))
        return parseTokenArray(std::as_bytes(std::span(bytes.data(), bytes.size())), vocabulary, file.string());
    return parseTokenText(bytes, vocabulary, file.string());
}

} // namespace tamis::inputs
