// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The regular expressions by which byte-level tokenisers cut a text, as hand-written matchers. Every one covers the whole
// text; alternatives are tried in their order, as a backtracking engine does.
#include "core/inputs/unicode.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace tamis::inputs {

enum class SplitPattern : std::uint8_t {
    Gpt2,       ///< 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
    Digits3,    ///< LLaMA-3, cl100k: (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
    SingleDigit ///< Qwen2: the same with \p{N}
};

/// The pattern that a tokenizer.json spells so; nothing for other expressions.
std::optional<SplitPattern> recogniseSplitPattern(std::string_view expression) noexcept;

/// Cuts valid UTF-8.
class TextSplitter {
public:
    explicit TextSplitter(SplitPattern pattern) : m_pattern(pattern) {}
    /// End of the match that begins at `at` < text.size(); over `at`.
    std::size_t matchEnd(std::string_view text, std::size_t at) const noexcept;

private:
    std::size_t gpt2End(std::string_view text, std::size_t at) const noexcept;
    std::size_t llamaEnd(std::string_view text, std::size_t at) const noexcept;
    SplitPattern m_pattern;
    Characters m_characters;
};

} // namespace tamis::inputs
