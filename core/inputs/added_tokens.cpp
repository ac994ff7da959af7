// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inputs/added_tokens.h"

#include "core/inputs/unicode.h"
#include "core/inputs/utf8.h"

#include <algorithm>

namespace tamis::inputs {
namespace {

/// First byte of the white space that `text` ends with.
std::size_t trailingSpace(std::string_view text)
{
    const Characters characters;
    std::size_t start = text.size();
    while (start > 0) {
        std::size_t at = start - 1;
        while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80)
            --at;
        if (!characters.isSpace(codePointAt(text, at).value))
            break;
        start = at;
    }
    return start;
}

/// Bytes of the white space at `at`.
std::size_t leadingSpace(std::string_view text, std::size_t at)
{
    const Characters characters;
    const std::size_t start = at;
    while (at < text.size()) {
        const CodePoint point = codePointAt(text, at);
        if (!characters.isSpace(point.value))
            break;
        at += point.bytes;
    }
    return at - start;
}

} // namespace

void AddedTokenFinder::add(const AddedToken& token)
{
    if (!m_tokens.try_emplace(token.content, token).second)
        return;
    std::vector<std::size_t>& lengths = m_lengths[static_cast<unsigned char>(token.content.front())];
    const auto place = std::lower_bound(lengths.begin(), lengths.end(), token.content.size(), std::greater<>());
    if (place == lengths.end() || *place != token.content.size())
        lengths.insert(place, token.content.size());
}

const AddedToken* AddedTokenFinder::longestAt(std::string_view whole, std::size_t at) const
{
    for (const std::size_t length : m_lengths[static_cast<unsigned char>(whole[at])])
        if (length <= whole.size() - at)
            if (const auto found = m_tokens.find(whole.substr(at, length)); found != m_tokens.end())
                return &found->second;
    return nullptr;
}

void AddedTokenFinder::split(std::string_view whole, const std::function<void(std::string_view)>& text,
                             const std::function<void(std::int32_t)>& token) const
{
    std::size_t done = 0; // what was given
    const auto giveText = [&](std::size_t end) {
        if (end > done)
            text(whole.substr(done, end - done));
    };
    for (std::size_t at = 0; at < whole.size() && !m_tokens.empty();) {
        const AddedToken* found = longestAt(whole, at);
        if (found == nullptr) {
            ++at;
            continue;
        }
        const std::size_t start = found->stripLeft ? std::max(done, trailingSpace(whole.substr(0, at))) : at;
        at += found->content.size();
        giveText(start);
        done = std::max(done, at + (found->stripRight ? leadingSpace(whole, at) : 0));
        token(found->id);
    }
    giveText(whole.size());
}

} // namespace tamis::inputs
