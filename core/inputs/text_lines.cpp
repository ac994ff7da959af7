// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inputs/text_lines.h"

#include "core/base/error.h"

namespace tamis::inputs {

TextLines::TextLines(std::string_view text) : m_rest(text)
{
    if (m_rest.starts_with("\xEF\xBB\xBF"))
        m_rest.remove_prefix(3);
}

bool TextLines::next(std::string_view& line)
{
    if (m_rest.empty())
        return false;
    const std::size_t end = m_rest.find('\n');
    line = m_rest.substr(0, end);
    m_rest.remove_prefix(end == std::string_view::npos ? m_rest.size() : end + 1);
    if (line.ends_with('\r'))
        line.remove_suffix(1);
    ++m_number;
    return true;
}

void refuseLine(std::size_t number, const std::string& sentence, const std::string& subject)
{
    throw Error(ErrorCode::MalformedFile, "line " + std::to_string(number) + ": " + sentence, subject);
}

} // namespace tamis::inputs
