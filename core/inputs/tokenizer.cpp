// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inputs/tokenizer.h"

#include "core/base/error.h"
#include "core/inputs/tokenizer_content.h"
#include "core/inputs/utf8.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace tamis::inputs {
namespace {

/// Ids of the words seen so far in one text: most words of a text come again. Full, it forgets everything.
class WordCache {
public:
    /// For a text of `bytes`; a small one needs few slots.
    WordCache(const TokenModel& model, std::size_t bytes, const RunContext& context)
        : m_model(model), m_context(context), m_mask(std::bit_ceil(std::clamp<std::size_t>(bytes / 2, 64, 1u << 15)) - 1), m_slots(m_mask + 1)
    {
    }

    void tokenize(std::string_view word, std::vector<std::int32_t>& ids)
    {
        if (word.size() > kLongest)
            return m_model.tokenize(word, ids, m_context);
        const std::size_t hash = std::hash<std::string_view>()(word);
        std::size_t at = hash & m_mask;
        for (; m_slots[at].length != 0; at = (at + 1) & m_mask) {
            const Slot& slot = m_slots[at];
            if (slot.hash == hash && slot.length == word.size() && std::memcmp(m_texts.data() + slot.text, word.data(), word.size()) == 0) {
                ids.insert(ids.end(), m_ids.begin() + slot.firstId, m_ids.begin() + slot.firstId + slot.ids);
                return;
            }
        }
        const std::size_t first = ids.size();
        m_model.tokenize(word, ids, m_context);
        if (m_used > m_mask / 2) {
            m_slots.assign(m_slots.size(), {});
            m_texts.clear();
            m_ids.clear();
            m_used = 0;
            at = hash & m_mask;
        }
        m_slots[at] = {hash, static_cast<std::uint32_t>(m_texts.size()), static_cast<std::uint32_t>(word.size()), static_cast<std::uint32_t>(m_ids.size()),
                       static_cast<std::uint32_t>(ids.size() - first)};
        m_texts.append(word);
        m_ids.insert(m_ids.end(), ids.begin() + static_cast<std::ptrdiff_t>(first), ids.end());
        ++m_used;
    }

private:
    struct Slot {
        std::size_t hash = 0;
        std::uint32_t text = 0, length = 0, firstId = 0, ids = 0; ///< length 0: free
    };
    static constexpr std::size_t kLongest = 64; ///< bytes of a word that is kept
    const TokenModel& m_model;
    const RunContext& m_context;
    std::size_t m_mask; ///< slots - 1, a power of two less one
    std::vector<Slot> m_slots;
    std::string m_texts;
    std::vector<std::int32_t> m_ids;
    std::size_t m_used = 0;
};

/// Start of the next word after the one at `start`: of the first U+2581 behind another character.
std::size_t wordEnd(std::string_view piece, std::size_t start)
{
    constexpr std::string_view kMark = "\xE2\x96\x81";
    while (piece.substr(start, kMark.size()) == kMark)
        start += kMark.size();
    return std::min(piece.find(kMark, start), piece.size());
}

} // namespace

Tokenizer::Tokenizer(std::unique_ptr<const TokenizerContent> content) : m_content(std::move(content)) {}
Tokenizer::~Tokenizer() = default;

std::vector<std::int32_t> Tokenizer::encode(std::string_view text, bool addSpecial) const { return encode(text, addSpecial, RunContext()); }

std::vector<std::int32_t> Tokenizer::encode(std::string_view text, bool addSpecial, const RunContext& context) const
{
    if (text.size() > kMaximumTextBytes)
        throw Error(ErrorCode::LimitExceeded,
                    "the text has " + std::to_string(text.size()) + " bytes, at most " + std::to_string(kMaximumTextBytes) + " are encoded at once", "text");
    std::string repaired;
    if (!isValidUtf8(text)) {
        repaired = withReplacements(text);
        text = repaired;
    }
    const TokenizerContent& content = *m_content;
    std::vector<std::int32_t> ids;
    if (addSpecial)
        ids = content.frame.leading;
    WordCache cache(*content.model, text.size(), context);
    std::size_t words = 0;
    const PreTokenizer::Emit take = [&](std::string_view piece, bool) {
        for (std::size_t start = 0; start < piece.size();) {
            if (++words % 4096 == 0)
                context.throwIfStopped();
            const std::size_t end = content.wordsAreSeparate ? wordEnd(piece, start) : piece.size();
            cache.tokenize(piece.substr(start, end - start), ids);
            start = end;
        }
    };
    const char* const start = text.data();
    bool atStart = true; // of the text as it was given
    const auto addToken = [&](std::int32_t id) {
        atStart = false;
        ids.push_back(id);
    };
    const auto cut = [&](std::string_view part) {
        context.throwIfStopped();
        if (content.preTokenizer)
            content.preTokenizer->cut(part, atStart, take);
        else
            take(part, atStart);
        atStart = false;
    };
    content.raw.split(
        text,
        [&](std::string_view part) {
            atStart = part.data() == start;
            const std::string changed = content.normaliser ? content.normaliser->apply(std::string(part)) : std::string();
            content.normalised.split(content.normaliser ? std::string_view(changed) : part, cut, addToken);
        },
        addToken);
    if (addSpecial)
        ids.insert(ids.end(), content.frame.trailing.begin(), content.frame.trailing.end());
    return ids;
}

std::string Tokenizer::decode(std::span<const std::int32_t> ids, bool keepSpecial) const
{
    std::vector<std::string> tokens;
    tokens.reserve(ids.size());
    for (const std::int32_t id : ids)
        if (const std::string* text = m_content->vocabulary.text(id); text != nullptr && (keepSpecial || !isSpecial(id)))
            tokens.push_back(*text);
    const bool joinsWithSpaces = !m_content->decoder;
    if (m_content->decoder)
        tokens = m_content->decoder->apply(std::move(tokens));
    std::string text;
    for (std::size_t i = 0; i < tokens.size(); ++i)
        text.append(i > 0 && joinsWithSpaces ? " " : "").append(tokens[i]);
    return text;
}

std::int64_t Tokenizer::vocabularySize() const noexcept { return m_content->vocabulary.size(); }

std::string Tokenizer::tokenText(std::int32_t id) const
{
    const std::string* text = m_content->vocabulary.text(id);
    return text != nullptr ? *text : std::string();
}

std::optional<std::int32_t> Tokenizer::tokenId(std::string_view text) const { return m_content->vocabulary.find(text); }
bool Tokenizer::isSpecial(std::int32_t id) const noexcept { return m_content->special.contains(id); }
const std::vector<std::int32_t>& Tokenizer::leadingIds() const noexcept { return m_content->frame.leading; }
const std::vector<std::int32_t>& Tokenizer::trailingIds() const noexcept { return m_content->frame.trailing; }
const std::string& Tokenizer::kind() const noexcept { return m_content->kind; }

} // namespace tamis::inputs
