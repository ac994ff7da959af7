// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inputs/byte_alphabet.h"

#include "core/inputs/utf8.h"

namespace tamis::inputs {
namespace {
constexpr bool standsForItself(unsigned byte)
{
    return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}
} // namespace

const std::array<char32_t, 256>& byteAlphabet()
{
    static const std::array<char32_t, 256> alphabet = [] {
        std::array<char32_t, 256> characters{};
        char32_t next = 0x100;
        for (unsigned byte = 0; byte < 256; ++byte)
            characters[byte] = standsForItself(byte) ? byte : next++;
        return characters;
    }();
    return alphabet;
}

std::optional<std::uint8_t> alphabetByte(char32_t character)
{
    static const std::array<std::int16_t, 0x180> bytes = [] {
        std::array<std::int16_t, 0x180> values;
        values.fill(-1);
        for (unsigned byte = 0; byte < 256; ++byte)
            values[byteAlphabet()[byte]] = static_cast<std::int16_t>(byte);
        return values;
    }();
    if (character >= bytes.size() || bytes[character] < 0)
        return std::nullopt;
    return static_cast<std::uint8_t>(bytes[character]);
}

std::optional<std::string> alphabetBytes(std::string_view utf8)
{
    std::string bytes;
    for (std::size_t at = 0; at < utf8.size();) {
        const CodePoint point = codePointAt(utf8, at);
        const std::optional<std::uint8_t> byte = point.valid ? alphabetByte(point.value) : std::nullopt;
        if (!byte)
            return std::nullopt;
        bytes.push_back(static_cast<char>(*byte));
        at += point.bytes;
    }
    return bytes;
}

} // namespace tamis::inputs
