// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Tokens that are looked for in the text before anything else cuts it.
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace tamis::inputs {

struct AddedToken {
    std::string content; ///< not empty
    std::int32_t id = 0;
    bool special = false;            ///< left out by decode() unless asked for
    bool stripLeft = false;          ///< takes the white space before it along
    bool stripRight = false;         ///< takes the white space behind it along
    bool normalised = false;         ///< looked for in the normalised text
};

/// Finds tokens from left to right, the longest that begins at a place.
class AddedTokenFinder {
public:
    /// Of two tokens with the same content the first one counts.
    void add(const AddedToken& token);
    bool empty() const noexcept { return m_tokens.empty(); }

    /// Calls text(part) for what lies between tokens, where that is not empty, and token(id) for each, in their order.
    void split(std::string_view whole, const std::function<void(std::string_view)>& text, const std::function<void(std::int32_t)>& token) const;

private:
    const AddedToken* longestAt(std::string_view whole, std::size_t at) const;
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>()(text); }
    };
    std::unordered_map<std::string, AddedToken, Hash, std::equal_to<>> m_tokens;
    std::array<std::vector<std::size_t>, 256> m_lengths; ///< of the contents that begin with a byte, each once, longest first
};

} // namespace tamis::inputs
