// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What tokenisers ask of Unicode (version 14.0): classes of characters, lower case, normalisation forms C and D.
#include <cstdint>
#include <string>
#include <string_view>

namespace tamis::inputs {

/// General categories, as far as they are told apart here. The numbers are those of unicode_tables.cpp.
enum class CharacterClass : std::uint8_t {
    Rest = 0,           ///< S, Z
    Letter = 1,         ///< L: \p{L}
    Number = 2,         ///< N: \p{N}
    NonspacingMark = 3, ///< Mn
    Punctuation = 4,    ///< P
    Control = 5,        ///< Cc, Cf, Co, Cs
    Unassigned = 6,     ///< Cn
    OtherMark = 7       ///< Mc, Me
};

namespace detail {
/// CharacterClass of every code point, with bit 3 set for white space; made when it is first used. 0x110000 bytes.
const std::uint8_t* characterTable();
} // namespace detail

/// Look-ups by one load each; keep one for a loop. Values over 10FFFF are Unassigned.
class Characters {
public:
    Characters() : m_table(detail::characterTable()) {}
    CharacterClass classOf(char32_t c) const noexcept { return c < 0x110000 ? static_cast<CharacterClass>(m_table[c] & 7) : CharacterClass::Unassigned; }
    bool isLetter(char32_t c) const noexcept { return classOf(c) == CharacterClass::Letter; }
    bool isNumber(char32_t c) const noexcept { return classOf(c) == CharacterClass::Number; }
    /// The property White_Space: \s of the regular expressions, char::is_whitespace of Rust.
    bool isSpace(char32_t c) const noexcept { return c < 0x110000 && (m_table[c] & 8) != 0; }
    /// P, and every character of ASCII that is neither a letter, a digit, a space nor a control.
    bool isPunctuation(char32_t c) const noexcept
    {
        return classOf(c) == CharacterClass::Punctuation || (c < 0x7F && c > 0x20 && !isLetter(c) && !isNumber(c));
    }

private:
    const std::uint8_t* m_table;
};

/// Character by character, without regard to its neighbours (a final sigma stays a common one). May grow: U+0130.
std::u32string lowercased(const std::u32string& text);
/// Canonical decomposition, marks in canonical order.
std::u32string decomposed(const std::u32string& text);
/// Normalisation form C: decomposed, then composed.
std::u32string composed(const std::u32string& text);
/// The same of valid UTF-8; what cannot change is copied.
std::string composedUtf8(std::string_view text);

} // namespace tamis::inputs
