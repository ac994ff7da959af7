// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Byte-pair encoding (Sennrich, Haddow and Birch 2016, arXiv:1508.07909) over the bytes of a piece (GPT-2) or over its
// characters with the bytes as a last resort (SentencePiece). The pair of the lowest rank is merged first, the leftmost of
// equal ones, until no pair is in the list.
#include "core/inputs/token_model.h"
#include "core/inputs/vocabulary.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace tamis::inputs {

struct BpeOptions {
    bool byteLevel = false;     ///< the vocabulary is written in the byte alphabet, pieces are split into bytes
    bool byteFallback = false;  ///< characters outside the vocabulary become tokens <0x00> ... <0xFF>
    bool ignoreMerges = false;  ///< a piece that is a token is that token
    bool fuseUnknown = false;   ///< neighbouring unknown characters make one unknown token
    std::string unknown;        ///< text of the unknown token; "" drops what is unknown
    std::string continuingPrefix, endSuffix; ///< of characters inside a word and of its last one; not with byteLevel
};

using MergeList = std::vector<std::pair<std::string, std::string>>; ///< in the order of their ranks

class BpeModel final : public TokenModel {
public:
    /// Throws Error{MalformedFile} when a merge or the unknown token is not in the vocabulary. `vocabulary` need not outlive it.
    BpeModel(const Vocabulary& vocabulary, const MergeList& merges, BpeOptions options, const std::string& subject);

    void tokenize(std::string_view piece, std::vector<std::int32_t>& ids, const RunContext& context) const override;

    /// No merge reaches over the start of a word that U+2581 marks: a piece may be cut before each such mark that follows
    /// another character, and its parts tokenised one by one, with the same ids.
    bool wordsAreSeparate() const noexcept { return m_wordsAreSeparate; }

private:
    struct Merge {
        std::uint64_t key = kNoKey; ///< left << 32 | right
        std::int32_t rank = 0, result = 0;
    };
    static constexpr std::uint64_t kNoKey = ~std::uint64_t{0};

    const Merge* find(std::int32_t left, std::int32_t right) const noexcept;
    void insert(const Merge& merge);
    void addMerges(const Vocabulary& vocabulary, const MergeList& merges, const std::string& subject);
    void fillSymbols(const Vocabulary& vocabulary);
    void appendSymbols(std::string_view piece, std::vector<std::int32_t>& symbols) const;
    void mergeShort(std::vector<std::int32_t>& ids, std::size_t first) const;
    void mergeLong(std::vector<std::int32_t>& ids, std::size_t first, const RunContext& context) const;

    BpeOptions m_options;
    std::vector<Merge> m_table; ///< open addressing, a power of two
    unsigned m_shift = 0;       ///< 64 - log2 of its size
    std::array<std::int32_t, 256> m_byteSymbols{}; ///< -1: none. byteLevel: of bytes; otherwise of <0x00> ...
    bool m_allBytes = false;
    std::unordered_map<char32_t, std::int32_t> m_first, m_inner, m_last, m_only; ///< characters by their place in the word
    std::unordered_map<std::string, std::int32_t> m_whole;                       ///< pieces that are tokens (ignoreMerges)
    std::int32_t m_unknown = -1;
    bool m_wordsAreSeparate = false;
};

} // namespace tamis::inputs
