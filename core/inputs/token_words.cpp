// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inputs/token_words.h"

#include "core/inputs/byte_alphabet.h"
#include "core/inputs/unicode.h"
#include "core/inputs/utf8.h"

#include <cstdio>

namespace tamis::inputs {
namespace {
constexpr std::string_view kSentencePieceSpace = "\u2581", kContinues = "##";

std::string byteName(unsigned char byte)
{
    char name[8];
    std::snprintf(name, sizeof name, "<%02X>", byte);
    return name;
}

/// "<0x0A>" of vocabularies that fall back to bytes; below 0 for anything else.
int fallbackByte(std::string_view text)
{
    const auto digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; };
    if (text.size() != 6 || !text.starts_with("<0x") || text.back() != '>' || digit(text[3]) < 0 || digit(text[4]) < 0)
        return -1;
    return 16 * digit(text[3]) + digit(text[4]);
}

std::string visibleCharacter(char32_t c, std::string_view bytes)
{
    static const Characters characters;
    if (c == U'\n')
        return "↵";
    if (c == U'\t')
        return "⇥";
    if (c == 0x7F || c < 0x20) {
        std::string picture;
        appendUtf8(picture, c == 0x7F ? 0x2421 : 0x2400 + c);
        return picture;
    }
    const auto kind = characters.classOf(c);
    if (kind != CharacterClass::Control && kind != CharacterClass::Unassigned && (c == U' ' || !characters.isSpace(c)))
        return std::string(bytes);
    char name[16];
    std::snprintf(name, sizeof name, "<U+%04X>", static_cast<unsigned>(c));
    return name;
}
} // namespace

std::string visibleText(std::string_view bytes)
{
    std::string text;
    for (std::size_t at = 0; at < bytes.size();) {
        const CodePoint point = codePointAt(bytes, at);
        if (point.valid)
            text += visibleCharacter(point.value, bytes.substr(at, point.bytes));
        else
            for (std::size_t i = 0; i < point.bytes; ++i)
                text += byteName(static_cast<unsigned char>(bytes[at + i]));
        at += point.bytes;
    }
    return text;
}

std::string visibleToken(const Tokenizer& tokenizer, std::int32_t id)
{
    std::string text = tokenizer.tokenText(id);
    if (text.empty() || tokenizer.isSpecial(id))
        return visibleText(text);
    if (tokenizer.kind() == "byte-level BPE")
        return visibleText(alphabetBytes(text).value_or(text));
    if (const int byte = fallbackByte(text); byte >= 0)
        return visibleText(std::string(1, static_cast<char>(byte)));
    if (tokenizer.kind() == "WordPiece")
        return visibleText(text.starts_with(kContinues) ? text.substr(kContinues.size()) : " " + text);
    for (std::size_t at = 0; (at = text.find(kSentencePieceSpace, at)) != std::string::npos; ++at)
        text.replace(at, kSentencePieceSpace.size(), " ");
    return visibleText(text);
}

} // namespace tamis::inputs
