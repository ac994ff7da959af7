// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace tamis::inputs {

/// Walks over the lines of a text: "\n" or "\r\n" ends one, a byte-order mark at the start is left out.
class TextLines {
public:
    explicit TextLines(std::string_view text);
    bool next(std::string_view& line); ///< false at the end; a "\n" that ends the text opens no further line
    std::size_t number() const noexcept { return m_number; } ///< of the line that next() gave, from 1

private:
    std::string_view m_rest;
    std::size_t m_number = 0;
};

/// Throws Error{MalformedFile} "line N: <sentence>".
[[noreturn]] void refuseLine(std::size_t number, const std::string& sentence, const std::string& subject);

} // namespace tamis::inputs
