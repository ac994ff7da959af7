// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inputs/utf8.h"

namespace tamis::inputs {

CodePoint codePointAt(std::string_view text, std::size_t at) noexcept
{
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned lead = byte(at);
    if (lead < 0x80)
        return {lead, 1, true};
    // Table 3-7 of the Unicode standard: how many bytes follow, and in which range the first of them must lie.
    std::size_t following = 0;
    unsigned low = 0x80, high = 0xBF;
    char32_t value = 0;
    if (lead >= 0xC2 && lead <= 0xDF) {
        following = 1;
        value = lead & 0x1F;
    } else if (lead >= 0xE0 && lead <= 0xEF) {
        following = 2;
        value = lead & 0x0F;
        low = lead == 0xE0 ? 0xA0 : 0x80;
        high = lead == 0xED ? 0x9F : 0xBF;
    } else if (lead >= 0xF0 && lead <= 0xF4) {
        following = 3;
        value = lead & 0x07;
        low = lead == 0xF0 ? 0x90 : 0x80;
        high = lead == 0xF4 ? 0x8F : 0xBF;
    } else {
        return {kReplacement, 1, false};
    }
    for (std::size_t i = 1; i <= following; ++i) {
        if (at + i >= text.size() || byte(at + i) < low || byte(at + i) > high)
            return {kReplacement, i, false};
        value = value << 6 | (byte(at + i) & 0x3F);
        low = 0x80;
        high = 0xBF;
    }
    return {value, following + 1, true};
}

bool isValidUtf8(std::string_view text) noexcept
{
    for (std::size_t at = 0; at < text.size();) {
        const CodePoint point = codePointAt(text, at);
        if (!point.valid)
            return false;
        at += point.bytes;
    }
    return true;
}

void appendUtf8(std::string& text, char32_t value)
{
    const auto put = [&](char32_t byte) { text.push_back(static_cast<char>(static_cast<unsigned char>(byte))); };
    if (value < 0x80) {
        put(value);
    } else if (value < 0x800) {
        put(0xC0 | value >> 6);
        put(0x80 | (value & 0x3F));
    } else if (value < 0x10000) {
        put(0xE0 | value >> 12);
        put(0x80 | (value >> 6 & 0x3F));
        put(0x80 | (value & 0x3F));
    } else {
        put(0xF0 | value >> 18);
        put(0x80 | (value >> 12 & 0x3F));
        put(0x80 | (value >> 6 & 0x3F));
        put(0x80 | (value & 0x3F));
    }
}

std::string withReplacements(std::string_view text)
{
    std::string result;
    result.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) {
        const CodePoint point = codePointAt(text, at);
        if (point.valid)
            result.append(text.substr(at, point.bytes));
        else
            appendUtf8(result, kReplacement);
        at += point.bytes;
    }
    return result;
}

std::u32string codePoints(std::string_view text)
{
    std::u32string result;
    result.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) {
        const CodePoint point = codePointAt(text, at);
        result.push_back(point.value);
        at += point.bytes;
    }
    return result;
}

std::string toUtf8(std::u32string_view text)
{
    std::string result;
    result.reserve(text.size());
    for (const char32_t value : text)
        appendUtf8(result, value);
    return result;
}

} // namespace tamis::inputs
