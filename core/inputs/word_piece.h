// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// WordPiece as BERT applies it (Devlin et al. 2018, arXiv:1810.04805): the longest token that begins the rest of the word,
// again and again; a word with a rest that no token begins is the unknown token as a whole.
#include "core/inputs/token_model.h"
#include "core/inputs/vocabulary.h"

#include <cstdint>
#include <string>

namespace tamis::inputs {

struct WordPieceOptions {
    std::string unknown = "[UNK]";
    std::string continuingPrefix = "##"; ///< of every token but the first of a word
    std::int64_t maximumCharacters = 100; ///< longer words are unknown
};

class WordPieceModel final : public TokenModel {
public:
    /// Throws Error{MalformedFile} when the unknown token is not in the vocabulary.
    WordPieceModel(Vocabulary vocabulary, WordPieceOptions options, const std::string& subject);
    void tokenize(std::string_view piece, std::vector<std::int32_t>& ids, const RunContext& context) const override;

private:
    Vocabulary m_vocabulary; ///< of its own: tokens that are added later begin no word
    WordPieceOptions m_options;
    std::int32_t m_unknown = 0;
};

} // namespace tamis::inputs
