// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// UTF-8 by hand: texts are bytes, and bytes may be anything.
#include <cstddef>
#include <string>
#include <string_view>

namespace tamis::inputs {

inline constexpr char32_t kReplacement = 0xFFFD;

struct CodePoint {
    char32_t value = kReplacement;
    std::size_t bytes = 0; ///< used, at least 1
    bool valid = false;
};

/// The code point that begins at `at` < text.size(). Where the bytes are not UTF-8 (overlong forms, surrogates and values over
/// 10FFFF among them) the longest run that could have begun one counts as one replacement character, as in Python's
/// bytes.decode("utf-8", "replace") and chapter 3 of the Unicode standard ("maximal subpart").
CodePoint codePointAt(std::string_view text, std::size_t at) noexcept;

bool isValidUtf8(std::string_view text) noexcept;
/// `value` must be a Unicode scalar value.
void appendUtf8(std::string& text, char32_t value);
/// With a replacement character for each run of bytes that is not UTF-8.
std::string withReplacements(std::string_view text);
/// With replacement characters, decoded.
std::u32string codePoints(std::string_view text);
std::string toUtf8(std::u32string_view text);

} // namespace tamis::inputs
