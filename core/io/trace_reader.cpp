// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/trace_reader.h"

#include "core/base/error.h"
#include "core/io/byte_stream.h"
#include "core/io/trace_binary.h"
#include "core/io/trace_text.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

namespace tamis::io {
namespace {
constexpr std::array<std::pair<TraceFormat, std::string_view>, 11> kNames{{{TraceFormat::Automatic, "automatic"}, {TraceFormat::Ids, "ids"}, {TraceFormat::Csv, "csv"},
    {TraceFormat::Lirs, "lirs"}, {TraceFormat::Arc, "arc"}, {TraceFormat::OracleGeneral, "oracle-general"}, {TraceFormat::Vscsi, "vscsi"}, {TraceFormat::Be64, "be64"},
    {TraceFormat::Be32, "be32"}, {TraceFormat::Le64, "le64"}, {TraceFormat::Le32, "le32"}}};

/// Without the ending that compression adds.
std::string plainName(const std::filesystem::path& path)
{
    std::string name = path.filename().string();
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    for (const std::string_view ending : {".gz", ".xz", ".zst", ".zstd"})
        if (name.ends_with(ending))
            return name.substr(0, name.size() - ending.size());
    return name;
}

bool looksLikeText(std::span<const char> head)
{
    return std::ranges::all_of(head, [](char c) { return static_cast<unsigned char>(c) >= 32 || c == '\n' || c == '\r' || c == '\t'; });
}

/// By the lines that the file starts with: numbers alone, four numbers, commas.
TraceFormat textFormat(std::string_view head)
{
    bool star = false, comma = false;
    std::size_t numbers = 0, lines = 0;
    for (std::size_t at = 0; at < head.size() && lines < 20;) {
        const std::size_t end = std::min(head.find('\n', at), head.size());
        const std::string_view line = head.substr(at, end - at);
        at = end + 1;
        const std::size_t first = line.find_first_not_of(" \t\r");
        if (first == std::string_view::npos)
            continue;
        if (line[first] == '*') {
            star = true;
            continue;
        }
        ++lines;
        comma = comma || line.find_first_of(",;") != std::string_view::npos;
        std::size_t words = 0;
        for (std::size_t c = 0; c < line.size(); ++c)
            words += !std::isspace(static_cast<unsigned char>(line[c])) && (c == 0 || std::isspace(static_cast<unsigned char>(line[c - 1]))) ? 1U : 0U;
        numbers = std::max(numbers, words);
    }
    if (comma)
        return TraceFormat::Csv;
    if (star)
        return TraceFormat::Lirs;
    return numbers == 4 ? TraceFormat::Arc : TraceFormat::Ids;
}

TraceFormat formatOf(const std::filesystem::path& path)
{
    const std::string name = plainName(path);
    if (name.ends_with(".oraclegeneral") || name.ends_with(".oraclegeneral.bin"))
        return TraceFormat::OracleGeneral;
    if (name.ends_with(".vscsi"))
        return TraceFormat::Vscsi;
    for (const TraceFormat ids : {TraceFormat::Be64, TraceFormat::Be32, TraceFormat::Le64, TraceFormat::Le32})
        if (name.ends_with("." + std::string(traceFormatName(ids))))
            return ids;
    if (name.ends_with(".csv"))
        return TraceFormat::Csv;
    if (name.ends_with(".lis"))
        return TraceFormat::Arc;
    std::array<char, 4096> head{};
    const std::size_t got = ByteStream::open(path)->read(std::as_writable_bytes(std::span(head)));
    if (!looksLikeText(std::span(head).first(got)))
        throw Error(ErrorCode::UnsupportedFeature, "found bytes that are no text and a name that says nothing of their format, expected the format to be chosen (--trace-format oracle-general, vscsi, be64, be32, le64 or le32)",
                    path.string());
    return textFormat({head.data(), got});
}
} // namespace

std::optional<TraceFormat> traceFormatNamed(std::string_view name) noexcept
{
    const auto found = std::ranges::find(kNames, name, &std::pair<TraceFormat, std::string_view>::second);
    return found == kNames.end() ? std::nullopt : std::optional(found->first);
}

std::vector<std::string_view> traceFormatNames()
{
    std::vector<std::string_view> names;
    for (const auto& [format, name] : kNames)
        names.push_back(name);
    return names;
}

std::string_view traceFormatName(TraceFormat format) noexcept
{
    return std::ranges::find(kNames, format, &std::pair<TraceFormat, std::string_view>::first)->second;
}

std::unique_ptr<TraceReader> TraceReader::open(const std::filesystem::path& path, const TraceOptions& options)
{
    const TraceFormat format = options.format == TraceFormat::Automatic ? formatOf(path) : options.format;
    switch (format) {
    case TraceFormat::Automatic:
    case TraceFormat::Ids:
    case TraceFormat::Csv:
    case TraceFormat::Lirs:
    case TraceFormat::Arc:
        return textTrace(path, format, options.columns);
    case TraceFormat::OracleGeneral:
    case TraceFormat::Vscsi:
    case TraceFormat::Be64:
    case TraceFormat::Be32:
    case TraceFormat::Le64:
    case TraceFormat::Le32:
        break;
    }
    return binaryTrace(path, format);
}

} // namespace tamis::io
