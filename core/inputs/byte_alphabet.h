// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The printable character that stands for each byte in byte-level vocabularies (GPT-2's bytes_to_unicode()): the bytes that
// are printable in Latin-1 stand for themselves, the others for U+0100 and on, in their order.
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tamis::inputs {

/// Of every byte.
const std::array<char32_t, 256>& byteAlphabet();
/// The byte behind a character of the alphabet.
std::optional<std::uint8_t> alphabetByte(char32_t character);
/// The bytes behind a text of the alphabet, or nothing when it holds another character.
std::optional<std::string> alphabetBytes(std::string_view utf8);

} // namespace tamis::inputs
