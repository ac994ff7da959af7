// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Text to token ids and back, as a model's tokenizer.json says (docs/inputs.md lists what is honoured). Read: byte-level BPE
// (GPT-2, LLaMA-3, Qwen), SentencePiece-style BPE (LLaMA-2, Mistral) and WordPiece (BERT). Unigram is refused by name.
#include "core/base/run_context.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tamis::inputs {

inline constexpr std::size_t kMaximumTokenizerBytes = std::size_t{256} << 20; ///< of tokenizer.json
inline constexpr std::size_t kMaximumTextBytes = std::size_t{1} << 30;        ///< of one text to encode

struct TokenizerContent;

/// Immutable, safe to share between threads.
class Tokenizer {
public:
    /// `file`: tokenizer.json, or the directory of a model that holds one. Throws Error{IoFailure, MalformedFile, LimitExceeded}
    /// and Error{UnsupportedFeature} naming what is not known here.
    static std::shared_ptr<const Tokenizer> read(const std::filesystem::path& file);
    /// The same for the text of a tokenizer.json. `subject` names it in errors.
    static std::shared_ptr<const Tokenizer> parse(std::string_view json, const std::string& subject);
    explicit Tokenizer(std::unique_ptr<const TokenizerContent> content); ///< for read() and parse()
    ~Tokenizer();

    /// `text`: UTF-8; bytes that are not count as replacement characters, as in Python's errors="replace". With `addSpecial` the
    /// tokens around a sequence (begin, end, class ...) are added. Throws Error{LimitExceeded} over kMaximumTextBytes, and
    /// Error{Cancelled}.
    std::vector<std::int32_t> encode(std::string_view text, bool addSpecial, const RunContext& context) const;
    std::vector<std::int32_t> encode(std::string_view text, bool addSpecial) const;

    /// UTF-8. Ids that are not in the vocabulary are left out, as are special tokens unless `keepSpecial`.
    std::string decode(std::span<const std::int32_t> ids, bool keepSpecial = false) const;

    std::int64_t vocabularySize() const noexcept; ///< the largest id + 1, added tokens included
    std::string tokenText(std::int32_t id) const; ///< as the file spells it, "" for an id that is not there
    std::optional<std::int32_t> tokenId(std::string_view text) const;
    bool isSpecial(std::int32_t id) const noexcept;
    const std::vector<std::int32_t>& leadingIds() const noexcept;  ///< what addSpecial puts in front
    const std::vector<std::int32_t>& trailingIds() const noexcept; ///< and behind
    const std::string& kind() const noexcept; ///< "byte-level BPE", "character BPE", "WordPiece"

private:
    std::unique_ptr<const TokenizerContent> m_content;
};

} // namespace tamis::inputs
