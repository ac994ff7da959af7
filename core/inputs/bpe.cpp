// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inputs/bpe.h"

#include "core/base/error.h"
#include "core/inputs/byte_alphabet.h"
#include "core/inputs/utf8.h"
#include "core/io/json_limits.h"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <functional>
#include <limits>
#include <queue>

namespace tamis::inputs {
namespace {

constexpr std::int32_t kNoRank = std::numeric_limits<std::int32_t>::max();
constexpr char32_t kWordMark = 0x2581;
constexpr std::size_t kLongest = 64u << 20; ///< symbols of one piece
constexpr std::size_t kShort = 48; ///< symbols: below, scanning for the lowest rank beats keeping a heap

std::uint64_t pairKey(std::int32_t left, std::int32_t right)
{
    return std::uint64_t{static_cast<std::uint32_t>(left)} << 32 | static_cast<std::uint32_t>(right);
}

std::string byteToken(unsigned byte)
{
    char text[8];
    std::snprintf(text, sizeof text, "<0x%02X>", byte);
    return text;
}

/// The single character of `text`, if it is one.
std::optional<char32_t> singleCharacter(std::string_view text)
{
    if (text.empty())
        return std::nullopt;
    const CodePoint point = codePointAt(text, 0);
    return point.valid && point.bytes == text.size() ? std::optional(point.value) : std::nullopt;
}

/// A word mark that follows another character.
bool holdsInnerMark(std::string_view text)
{
    bool other = false;
    for (std::size_t at = 0; at < text.size();) {
        const CodePoint point = codePointAt(text, at);
        if (point.value == kWordMark && other)
            return true;
        other = point.value != kWordMark;
        at += point.bytes;
    }
    return false;
}

} // namespace

BpeModel::BpeModel(const Vocabulary& vocabulary, const MergeList& merges, BpeOptions options, const std::string& subject) : m_options(std::move(options))
{
    if (!m_options.unknown.empty()) {
        const auto id = vocabulary.find(m_options.unknown);
        if (!id)
            throw Error(ErrorCode::MalformedFile, "the unknown token " + io::quotedName(m_options.unknown) + " is not in the vocabulary", subject);
        m_unknown = *id;
    }
    fillSymbols(vocabulary);
    // The mark must be a symbol of its own, or an unknown character before it could be fused with it.
    m_wordsAreSeparate = !m_options.byteLevel && !m_options.ignoreMerges && m_options.continuingPrefix.empty() && m_options.endSuffix.empty() &&
                         m_first.contains(kWordMark);
    addMerges(vocabulary, merges, subject);
}

void BpeModel::fillSymbols(const Vocabulary& vocabulary)
{
    m_byteSymbols.fill(-1);
    for (unsigned byte = 0; byte < 256; ++byte) {
        std::string text;
        if (m_options.byteLevel)
            appendUtf8(text, byteAlphabet()[byte]);
        else
            text = byteToken(byte);
        m_byteSymbols[byte] = vocabulary.find(text).value_or(-1);
    }
    m_allBytes = std::all_of(m_byteSymbols.begin(), m_byteSymbols.end(), [](std::int32_t id) { return id >= 0; });
    const std::string &prefix = m_options.continuingPrefix, &suffix = m_options.endSuffix;
    for (std::int64_t id = 0; id < vocabulary.size(); ++id) {
        const std::string* text = vocabulary.text(id);
        if (text == nullptr || text->empty())
            continue;
        const auto number = static_cast<std::int32_t>(id);
        if (m_options.byteLevel) {
            if (m_options.ignoreMerges)
                if (auto bytes = alphabetBytes(*text))
                    m_whole.emplace(std::move(*bytes), number);
            continue;
        }
        if (m_options.ignoreMerges)
            m_whole.emplace(*text, number);
        const std::string_view view(*text);
        if (const auto character = singleCharacter(view))
            m_first.emplace(*character, number);
        if (view.starts_with(prefix))
            if (const auto character = singleCharacter(view.substr(prefix.size())))
                m_inner.emplace(*character, number);
        if (view.ends_with(suffix))
            if (const auto character = singleCharacter(view.substr(0, view.size() - suffix.size())))
                m_only.emplace(*character, number);
        if (view.size() >= prefix.size() + suffix.size() && view.starts_with(prefix) && view.ends_with(suffix))
            if (const auto character = singleCharacter(view.substr(prefix.size(), view.size() - prefix.size() - suffix.size())))
                m_last.emplace(*character, number);
    }
}

void BpeModel::addMerges(const Vocabulary& vocabulary, const MergeList& merges, const std::string& subject)
{
    const std::size_t capacity = std::bit_ceil(std::max<std::size_t>(16, merges.size() * 2));
    m_table.resize(capacity);
    m_shift = 64 - static_cast<unsigned>(std::countr_zero(capacity));
    std::string joined;
    for (std::size_t rank = 0; rank < merges.size(); ++rank) {
        const auto& [left, right] = merges[rank];
        const bool continues = !m_options.continuingPrefix.empty() && right.starts_with(m_options.continuingPrefix);
        joined = left;
        joined.append(right, continues ? m_options.continuingPrefix.size() : 0);
        m_wordsAreSeparate = m_wordsAreSeparate && !holdsInnerMark(joined);
        const auto a = vocabulary.find(left), b = vocabulary.find(right), both = vocabulary.find(joined);
        if (!a || !b || !both)
            throw Error(ErrorCode::MalformedFile,
                        "merge " + std::to_string(rank) + " needs the token " + io::quotedName(!a ? left : !b ? right : joined) +
                            ", which is not in the vocabulary",
                        subject);
        insert({pairKey(*a, *b), static_cast<std::int32_t>(rank), *both});
    }
}

void BpeModel::insert(const Merge& merge)
{
    const std::size_t mask = m_table.size() - 1;
    std::size_t at = (merge.key * 0x9E3779B97F4A7C15u) >> m_shift;
    while (m_table[at].key != kNoKey && m_table[at].key != merge.key)
        at = (at + 1) & mask;
    m_table[at] = merge; // a pair listed twice has its last rank
}

const BpeModel::Merge* BpeModel::find(std::int32_t left, std::int32_t right) const noexcept
{
    const std::uint64_t key = pairKey(left, right);
    const std::size_t mask = m_table.size() - 1;
    for (std::size_t at = (key * 0x9E3779B97F4A7C15u) >> m_shift; m_table[at].key != kNoKey; at = (at + 1) & mask)
        if (m_table[at].key == key)
            return &m_table[at];
    return nullptr;
}

void BpeModel::appendSymbols(std::string_view piece, std::vector<std::int32_t>& symbols) const
{
    bool pending = false; // an unknown token that further characters may join
    const auto unknown = [&] {
        if (m_unknown >= 0 && !(pending && m_options.fuseUnknown))
            symbols.push_back(m_unknown);
        pending = true;
    };
    if (m_options.byteLevel) {
        for (const char c : piece) {
            const std::int32_t id = m_byteSymbols[static_cast<unsigned char>(c)];
            if (id < 0) {
                unknown();
                continue;
            }
            pending = false;
            symbols.push_back(id);
        }
        return;
    }
    for (std::size_t at = 0; at < piece.size();) {
        const CodePoint point = codePointAt(piece, at);
        const bool isFirst = at == 0, isLast = at + point.bytes == piece.size();
        const auto& known = isLast ? (isFirst ? m_only : m_last) : (isFirst ? m_first : m_inner);
        const std::string_view bytes = piece.substr(at, point.bytes);
        at += point.bytes;
        if (const auto found = known.find(point.value); found != known.end()) {
            pending = false;
            symbols.push_back(found->second);
        } else if (m_options.byteFallback && (m_allBytes || std::all_of(bytes.begin(), bytes.end(), [&](char c) {
                                                  return m_byteSymbols[static_cast<unsigned char>(c)] >= 0;
                                              }))) {
            pending = false;
            for (const char c : bytes)
                symbols.push_back(m_byteSymbols[static_cast<unsigned char>(c)]);
        } else {
            unknown();
        }
    }
}

void BpeModel::tokenize(std::string_view piece, std::vector<std::int32_t>& ids, const RunContext& context) const
{
    if (m_options.ignoreMerges)
        if (const auto whole = m_whole.find(std::string(piece)); whole != m_whole.end()) {
            ids.push_back(whole->second);
            return;
        }
    const std::size_t first = ids.size();
    appendSymbols(piece, ids);
    if (ids.size() - first <= kShort)
        mergeShort(ids, first);
    else
        mergeLong(ids, first, context);
}

void BpeModel::mergeShort(std::vector<std::int32_t>& ids, std::size_t first) const
{
    std::int32_t* symbols = ids.data() + first;
    std::size_t count = ids.size() - first;
    if (count < 2)
        return;
    std::array<std::int32_t, kShort> ranks, results; // of the pair that begins there
    const auto rate = [&](std::size_t i) {
        const Merge* merge = find(symbols[i], symbols[i + 1]);
        ranks[i] = merge != nullptr ? merge->rank : kNoRank;
        results[i] = merge != nullptr ? merge->result : 0;
    };
    for (std::size_t i = 0; i + 1 < count; ++i)
        rate(i);
    while (count > 1) {
        const auto best = static_cast<std::size_t>(std::min_element(ranks.begin(), ranks.begin() + static_cast<std::ptrdiff_t>(count - 1)) - ranks.begin());
        if (ranks[best] == kNoRank)
            break;
        symbols[best] = results[best];
        std::copy(symbols + best + 2, symbols + count, symbols + best + 1);
        std::copy(ranks.begin() + static_cast<std::ptrdiff_t>(best) + 1, ranks.begin() + static_cast<std::ptrdiff_t>(count) - 1,
                  ranks.begin() + static_cast<std::ptrdiff_t>(best));
        std::copy(results.begin() + static_cast<std::ptrdiff_t>(best) + 1, results.begin() + static_cast<std::ptrdiff_t>(count) - 1,
                  results.begin() + static_cast<std::ptrdiff_t>(best));
        --count;
        if (best > 0)
            rate(best - 1);
        if (best + 1 < count)
            rate(best);
    }
    ids.resize(first + count);
}

void BpeModel::mergeLong(std::vector<std::int32_t>& ids, std::size_t first, const RunContext& context) const
{
    constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
    struct Symbol {
        std::int32_t id;
        std::uint32_t previous, next;
    };
    struct Candidate {
        std::int32_t rank;
        std::uint32_t at;
        std::int32_t left, right, result;
        bool operator>(const Candidate& other) const { return rank != other.rank ? rank > other.rank : at > other.at; }
    };
    if (ids.size() - first > kLongest)
        throw Error(ErrorCode::LimitExceeded,
                    "a piece of the text has " + std::to_string(ids.size() - first) + " symbols, at most " + std::to_string(kLongest) + " are merged at once",
                    "text");
    const auto count = static_cast<std::uint32_t>(ids.size() - first);
    std::vector<Symbol> symbols(count);
    for (std::uint32_t i = 0; i < count; ++i)
        symbols[i] = {ids[first + i], i == 0 ? kNone : i - 1, i + 1 == count ? kNone : i + 1};
    std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue;
    const auto offer = [&](std::uint32_t at) {
        if (at == kNone || symbols[at].next == kNone)
            return;
        const std::int32_t left = symbols[at].id, right = symbols[symbols[at].next].id;
        if (const Merge* merge = find(left, right))
            queue.push({merge->rank, at, left, right, merge->result});
    };
    for (std::uint32_t i = 0; i + 1 < count; ++i)
        offer(i);
    for (std::size_t step = 1; !queue.empty(); ++step) {
        if (step % 16384 == 0)
            context.throwIfStopped();
        const Candidate top = queue.top();
        queue.pop();
        Symbol& left = symbols[top.at];
        if (left.id != top.left || left.next == kNone || symbols[left.next].id != top.right)
            continue; // one of the two was merged in the meantime
        Symbol& right = symbols[left.next];
        left.id = top.result;
        right.id = -1;
        left.next = right.next;
        if (left.next != kNone)
            symbols[left.next].previous = top.at;
        offer(left.previous);
        offer(top.at);
    }
    ids.resize(first);
    for (std::uint32_t at = 0; at != kNone; at = symbols[at].next)
        ids.push_back(symbols[at].id);
}

} // namespace tamis::inputs
