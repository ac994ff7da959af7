// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inputs/text_split.h"

#include "core/inputs/utf8.h"

#include <array>
#include <utility>

namespace tamis::inputs {
namespace {

constexpr std::array<std::pair<std::string_view, SplitPattern>, 6> kSpellings{{
    {R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)", SplitPattern::Gpt2},
    {R"('(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)", SplitPattern::Gpt2},
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)", SplitPattern::Digits3},
    {R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)", SplitPattern::Digits3},
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)", SplitPattern::SingleDigit},
    {R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)", SplitPattern::SingleDigit},
}};

/// A code point of valid UTF-8, ASCII first.
struct Character {
    char32_t value;
    std::size_t bytes;
};
Character characterAt(std::string_view text, std::size_t at) noexcept
{
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte < 0x80)
        return {byte, 1};
    const CodePoint point = codePointAt(text, at);
    return {point.value, point.bytes};
}

/// End of the run of characters that `belongs` holds for.
template <class Predicate> std::size_t runEnd(std::string_view text, std::size_t at, Predicate belongs) noexcept
{
    while (at < text.size()) {
        const Character c = characterAt(text, at);
        if (!belongs(c.value))
            break;
        at += c.bytes;
    }
    return at;
}

constexpr bool isNewline(char32_t c) { return c == '\r' || c == '\n'; }

/// After the apostrophe at `at`: s, t, m, d, re, ve, ll. With `anyCase` also in capitals, and the long s (U+017F, the only
/// other character that folds to one of these). 0: no contraction.
std::size_t contractionEnd(std::string_view text, std::size_t at, bool anyCase) noexcept
{
    const auto letter = [&](std::size_t i) -> char {
        if (i >= text.size())
            return 0;
        const char c = text[i];
        return anyCase && c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    };
    const char a = letter(at + 1), b = letter(at + 2);
    if (a == 's' || a == 't' || a == 'm' || a == 'd')
        return at + 2;
    if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l'))
        return at + 3;
    if (anyCase && text.substr(at + 1, 2) == "\xC5\xBF")
        return at + 3;
    return 0;
}

/// \s+(?!\S)|\s+ for the run of white space [at, end): a run before something else leaves its last character to it.
std::size_t spaceEnd(std::string_view text, std::size_t at, std::size_t end) noexcept
{
    if (end == text.size())
        return end;
    std::size_t last = end - 1;
    while ((static_cast<unsigned char>(text[last]) & 0xC0) == 0x80)
        --last;
    return last > at ? last : end;
}

} // namespace

std::optional<SplitPattern> recogniseSplitPattern(std::string_view expression) noexcept
{
    for (const auto& [spelling, pattern] : kSpellings)
        if (spelling == expression)
            return pattern;
    return std::nullopt;
}

std::size_t TextSplitter::matchEnd(std::string_view text, std::size_t at) const noexcept
{
    return m_pattern == SplitPattern::Gpt2 ? gpt2End(text, at) : llamaEnd(text, at);
}

std::size_t TextSplitter::gpt2End(std::string_view text, std::size_t at) const noexcept
{
    const auto space = [this](char32_t c) { return m_characters.isSpace(c); };
    const auto letter = [this](char32_t c) { return m_characters.isLetter(c); };
    const auto number = [this](char32_t c) { return m_characters.isNumber(c); };
    const auto other = [&](char32_t c) { return !space(c) && !letter(c) && !number(c); };
    if (text[at] == '\'')
        if (const std::size_t end = contractionEnd(text, at, false))
            return end;
    const std::size_t word = text[at] == ' ' && at + 1 < text.size() ? at + 1 : at;
    const Character c = characterAt(text, word);
    if (letter(c.value))
        return runEnd(text, word + c.bytes, letter);
    if (number(c.value))
        return runEnd(text, word + c.bytes, number);
    if (!space(c.value))
        return runEnd(text, word + c.bytes, other);
    return spaceEnd(text, at, runEnd(text, at, space));
}

std::size_t TextSplitter::llamaEnd(std::string_view text, std::size_t at) const noexcept
{
    const auto space = [this](char32_t c) { return m_characters.isSpace(c); };
    const auto letter = [this](char32_t c) { return m_characters.isLetter(c); };
    const auto other = [this](char32_t c) { return !m_characters.isSpace(c) && !m_characters.isLetter(c) && !m_characters.isNumber(c); };
    if (text[at] == '\'')
        if (const std::size_t end = contractionEnd(text, at, true))
            return end;
    const Character c = characterAt(text, at);
    if (letter(c.value))
        return runEnd(text, at + c.bytes, letter);
    if (m_characters.isNumber(c.value)) {
        std::size_t end = at + c.bytes;
        for (int more = m_pattern == SplitPattern::Digits3 ? 2 : 0; more > 0 && end < text.size(); --more) {
            const Character digit = characterAt(text, end);
            if (!m_characters.isNumber(digit.value))
                break;
            end += digit.bytes;
        }
        return end;
    }
    if (const std::size_t next = at + c.bytes; next < text.size() && !isNewline(c.value))
        if (const Character after = characterAt(text, next); letter(after.value))
            return runEnd(text, next + after.bytes, letter);
    const std::size_t word = text[at] == ' ' && at + 1 < text.size() ? at + 1 : at;
    if (const Character first = characterAt(text, word); other(first.value))
        return runEnd(text, runEnd(text, word + first.bytes, other), isNewline);
    const std::size_t end = runEnd(text, at, space);
    const std::size_t newline = text.substr(at, end - at).find_last_of("\r\n");
    return newline != std::string_view::npos ? at + newline + 1 : spaceEnd(text, at, end);
}

} // namespace tamis::inputs
