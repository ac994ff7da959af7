// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inputs/word_piece.h"

#include "core/base/error.h"
#include "core/io/json_limits.h"

#include <algorithm>
#include <utility>

namespace tamis::inputs {
namespace {
constexpr bool startsCharacter(char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }
} // namespace

WordPieceModel::WordPieceModel(Vocabulary vocabulary, WordPieceOptions options, const std::string& subject)
    : m_vocabulary(std::move(vocabulary)), m_options(std::move(options))
{
    const auto unknown = m_vocabulary.find(m_options.unknown);
    if (!unknown)
        throw Error(ErrorCode::MalformedFile, "the unknown token " + io::quotedName(m_options.unknown) + " is not in the vocabulary", subject);
    m_unknown = *unknown;
}

void WordPieceModel::tokenize(std::string_view piece, std::vector<std::int32_t>& ids, const RunContext&) const
{
    if (std::count_if(piece.begin(), piece.end(), startsCharacter) > m_options.maximumCharacters) {
        ids.push_back(m_unknown);
        return;
    }
    const std::size_t first = ids.size();
    std::string candidate;
    for (std::size_t start = 0; start < piece.size();) {
        candidate = start == 0 ? std::string() : m_options.continuingPrefix;
        const std::size_t prefix = candidate.size();
        // No token is longer than the longest.
        const std::size_t room = m_vocabulary.longest() > prefix ? m_vocabulary.longest() - prefix : 0;
        candidate.append(piece.substr(start, room));
        std::optional<std::int32_t> id;
        while (candidate.size() > prefix && !(id = m_vocabulary.find(candidate)))
            candidate.pop_back(); // texts cut inside a character are in no vocabulary: it is UTF-8
        if (!id) {
            ids.resize(first);
            ids.push_back(m_unknown);
            return;
        }
        ids.push_back(*id);
        start += candidate.size() - prefix;
    }
}

} // namespace tamis::inputs
