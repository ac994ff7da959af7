// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Token ids that were made elsewhere: a NumPy array of whole numbers, or a text of numbers.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tamis::inputs {

using TokenSequences = std::vector<std::vector<std::int32_t>>;

inline constexpr std::size_t kMaximumTokenFileBytes = std::size_t{1} << 30;
inline constexpr std::size_t kMaximumTokens = std::size_t{256} << 20;
inline constexpr std::size_t kMaximumTokenSequences = 16u << 20;

/// Throws Error{InvalidParameter} "token id 5000 at position 17 is beyond the vocabulary of 1024"; vocabulary < 1: only the
/// signs are checked. `sequence`: from 0, said in the message when it is not negative.
void checkTokenIds(std::span<const std::int64_t> ids, std::int64_t vocabulary, const std::string& subject, std::int64_t sequence = -1);

/// A .npy of any integer type, in either byte order: [tokens] is one sequence, [sequences, tokens] several of one length.
/// Throws Error{MalformedFile, UnsupportedFeature, LimitExceeded}, and as checkTokenIds().
TokenSequences parseTokenArray(std::span<const std::byte> bytes, std::int64_t vocabulary, const std::string& subject);

/// Numbers with white space or commas between them; a line is a sequence, empty lines and lines that begin with # are left
/// out. Throws Error{MalformedFile} naming the line, Error{LimitExceeded}, and as checkTokenIds().
TokenSequences parseTokenText(std::string_view text, std::int64_t vocabulary, const std::string& subject);

/// Either, told apart by the first bytes. No sequence is empty. Throws as above, and Error{IoFailure}.
TokenSequences readTokenFile(const std::filesystem::path& file, std::int64_t vocabulary);

} // namespace tamis::inputs
