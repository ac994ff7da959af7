// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inputs/vocabulary.h"

#include "core/base/error.h"
#include "core/io/json_limits.h"

#include <algorithm>

namespace tamis::inputs {

void Vocabulary::add(std::string_view text, std::int64_t id, const std::string& subject)
{
    if (id < 0)
        throw Error(ErrorCode::MalformedFile, "the token " + io::quotedName(text) + " has the id " + std::to_string(id) + ", expected 0 or more", subject);
    if (id >= kMaximumVocabulary || text.size() > kMaximumTokenBytes)
        throw Error(ErrorCode::LimitExceeded,
                    "the token " + io::quotedName(text) + " has the id " + std::to_string(id) + " and " + std::to_string(text.size()) +
                        " bytes, expected ids below " + std::to_string(kMaximumVocabulary) + " and at most " + std::to_string(kMaximumTokenBytes) + " bytes",
                    subject);
    const auto place = static_cast<std::size_t>(id);
    if (place >= m_texts.size())
        m_texts.resize(place + 1);
    if (m_texts[place])
        throw Error(ErrorCode::MalformedFile,
                    "the id " + std::to_string(id) + " belongs to two tokens, " + io::quotedName(*m_texts[place]) + " and " + io::quotedName(text), subject);
    const auto [known, isNew] = m_ids.try_emplace(std::string(text), static_cast<std::int32_t>(id));
    if (!isNew)
        throw Error(ErrorCode::MalformedFile,
                    "the token " + io::quotedName(text) + " has two ids, " + std::to_string(known->second) + " and " + std::to_string(id), subject);
    m_texts[place] = std::string(text);
    m_longest = std::max(m_longest, text.size());
}

std::optional<std::int32_t> Vocabulary::find(std::string_view text) const
{
    const auto found = m_ids.find(text);
    return found != m_ids.end() ? std::optional(found->second) : std::nullopt;
}

const std::string* Vocabulary::text(std::int64_t id) const noexcept
{
    const bool known = id >= 0 && id < size() && m_texts[static_cast<std::size_t>(id)];
    return known ? &*m_texts[static_cast<std::size_t>(id)] : nullptr;
}

} // namespace tamis::inputs
