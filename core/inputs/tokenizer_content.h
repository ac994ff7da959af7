// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What a Tokenizer is made of. Private to core/inputs.
#include "core/inputs/added_tokens.h"
#include "core/inputs/token_model.h"
#include "core/inputs/tokenizer.h"
#include "core/inputs/tokenizer_parts.h"
#include "core/inputs/vocabulary.h"

#include <unordered_set>

namespace tamis::inputs {

struct TokenizerContent {
    Vocabulary vocabulary; ///< with the added tokens
    std::string kind;
    std::unique_ptr<const Normaliser> normaliser;     ///< may be null, as the next two
    std::unique_ptr<const PreTokenizer> preTokenizer;
    std::unique_ptr<const TokenDecoder> decoder;
    std::unique_ptr<const TokenModel> model;
    bool wordsAreSeparate = false; ///< as of BpeModel
    SequenceFrame frame;
    AddedTokenFinder raw, normalised; ///< looked for before and after the normaliser
    std::unordered_set<std::int32_t> special;
};

} // namespace tamis::inputs
