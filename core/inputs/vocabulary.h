// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace tamis::inputs {

inline constexpr std::int64_t kMaximumVocabulary = 4'194'304;
inline constexpr std::size_t kMaximumTokenBytes = 65'536; ///< of one token's text

/// Texts and ids of tokens. Ids may have holes.
class Vocabulary {
public:
    /// Throws Error{MalformedFile} when the id or the text is taken, or the id is negative, Error{LimitExceeded} for an id or
    /// a text beyond the limits. `subject` names the file.
    void add(std::string_view text, std::int64_t id, const std::string& subject);

    std::optional<std::int32_t> find(std::string_view text) const;
    const std::string* text(std::int64_t id) const noexcept; ///< null in a hole and beyond
    std::int64_t size() const noexcept { return static_cast<std::int64_t>(m_texts.size()); } ///< the largest id + 1
    std::size_t longest() const noexcept { return m_longest; }                                ///< bytes of the longest text

private:
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>()(text); }
    };
    std::vector<std::optional<std::string>> m_texts;
    std::unordered_map<std::string, std::int32_t, Hash, std::equal_to<>> m_ids;
    std::size_t m_longest = 0;
};

} // namespace tamis::inputs
