// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inputs/label_file.h"

#include "core/base/error.h"
#include "core/inputs/text_lines.h"
#include "core/inputs/utf8.h"
#include "core/io/json_limits.h"

#include <algorithm>
#include <charconv>
#include <limits>

namespace tamis::inputs {
namespace {

std::string_view trimmed(std::string_view text)
{
    while (!text.empty() && text.front() == ' ')
        text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ')
        text.remove_suffix(1);
    return text;
}

/// A whole number without sign.
std::optional<std::int64_t> wholeNumber(std::string_view text)
{
    std::int64_t value = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool valid = problem == std::errc() && end == text.data() + text.size() && text.front() != '-';
    return valid ? std::optional(value) : std::nullopt;
}

void refuseInvalid(std::string_view line, std::size_t number, const std::string& subject)
{
    if (!isValidUtf8(line) || line.find('\0') != std::string_view::npos)
        refuseLine(number, "is not a text in UTF-8", subject);
}

} // namespace

std::optional<std::int32_t> ImageLabels::find(const std::filesystem::path& relative) const
{
    auto found = byFile.find(relative.generic_string());
    if (found == byFile.end())
        found = byFile.find(relative.filename().string());
    return found != byFile.end() ? std::optional(found->second) : std::nullopt;
}

ImageLabels parseImageLabels(std::string_view text, std::int64_t classes, const std::string& subject)
{
    if (text.size() > kMaximumLabelFileBytes)
        throw Error(ErrorCode::LimitExceeded,
                    "has " + std::to_string(text.size()) + " bytes, at most " + std::to_string(kMaximumLabelFileBytes) + " are read", subject);
    const std::int64_t bound = classes > 0 ? classes : std::numeric_limits<std::int32_t>::max();
    ImageLabels labels;
    TextLines lines(text);
    for (std::string_view line; lines.next(line);) {
        if (line.empty())
            continue;
        refuseInvalid(line, lines.number(), subject);
        const std::size_t tab = line.find('\t');
        if (tab == std::string_view::npos || tab == 0)
            refuseLine(lines.number(), "found " + io::quotedName(line) + ", expected file<TAB>class index", subject);
        const std::string_view rest = line.substr(tab + 1);
        const std::string_view field = trimmed(rest.substr(0, rest.find('\t')));
        const std::optional<std::int64_t> index = field.empty() ? std::nullopt : wholeNumber(field);
        if (!index && lines.number() == 1)
            continue; // a heading
        if (!index)
            refuseLine(lines.number(), "the class index is " + io::quotedName(field) + ", expected a whole number", subject);
        if (*index >= bound)
            refuseLine(lines.number(), "the class index " + std::to_string(*index) + " is beyond the " + std::to_string(bound) + " classes", subject);
        if (labels.entries.size() == kMaximumLabels)
            throw Error(ErrorCode::LimitExceeded, "holds more than " + std::to_string(kMaximumLabels) + " labels", subject);
        std::string file(line.substr(0, tab));
        const auto label = static_cast<std::int32_t>(*index);
        const auto [place, isNew] = labels.byFile.try_emplace(file, label);
        if (!isNew && place->second != label)
            refuseLine(lines.number(), io::quotedName(file) + " has the class index " + std::to_string(label) + ", an earlier line says " +
                                           std::to_string(place->second), subject);
        if (isNew)
            labels.entries.push_back({std::move(file), label});
    }
    if (labels.entries.empty())
        throw Error(ErrorCode::MalformedFile, "holds no labels, expected lines of file<TAB>class index", subject);
    return labels;
}

ImageLabels readImageLabels(const std::filesystem::path& file, std::int64_t classes)
{
    return parseImageLabels(io::readSmallFile(file, kMaximumLabelFileBytes), classes, file.string());
}

std::vector<std::string> parseClassNames(std::string_view text, const std::string& subject)
{
    std::vector<std::string> names;
    TextLines lines(text);
    std::size_t firstEmpty = 0;
    for (std::string_view line; lines.next(line);) {
        line = trimmed(line);
        if (line.empty()) {
            firstEmpty = firstEmpty == 0 ? lines.number() : firstEmpty;
            continue;
        }
        if (firstEmpty != 0)
            refuseLine(firstEmpty, "is empty, expected the name of a class: the index of a class is its line", subject);
        refuseInvalid(line, lines.number(), subject);
        if (std::any_of(line.begin(), line.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 && c != '\t'; }))
            refuseLine(lines.number(), "holds a control character, expected the name of a class", subject);
        if (line.size() > kMaximumClassNameBytes || names.size() == kMaximumClasses)
            throw Error(ErrorCode::LimitExceeded,
                        "line " + std::to_string(lines.number()) + ": expected at most " + std::to_string(kMaximumClasses) + " names of at most " +
                            std::to_string(kMaximumClassNameBytes) + " bytes",
                        subject);
        names.emplace_back(line);
    }
    if (names.empty())
        throw Error(ErrorCode::MalformedFile, "holds no names of classes, expected one a line", subject);
    return names;
}

std::vector<std::string> readClassNames(const std::filesystem::path& file)
{
    return parseClassNames(io::readSmallFile(file, kMaximumLabelFileBytes), file.string());
}

} // namespace tamis::inputs
