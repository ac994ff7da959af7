// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Bounded parsing of untrusted JSON: size, depth and number of values are limited, and a key that occurs twice in one
// object is an error (most parsers silently keep one of the two). The parser does not recurse.
#include <nlohmann/json_fwd.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace tamis::io {

struct JsonLimits {
    std::size_t bytes = 16u << 20;   ///< length of the text
    std::size_t depth = 64;          ///< nested arrays and objects; `{}` has depth 1
    std::size_t values = 4'000'000;  ///< scalars, arrays and objects together
};

/// The document in `text` (UTF-8, nothing but white space after it). `subject` names the file in errors.
/// Throws Error{MalformedFile} with the byte offset (syntax, invalid UTF-8, a key twice in one object: the key is named)
/// and Error{LimitExceeded} naming the limit and what was found.
nlohmann::json parseJson(std::string_view text, const JsonLimits& limits, const std::string& subject);

/// The same for a file: refuses directories, devices and files over limits.bytes before reading (Error{IoFailure,
/// LimitExceeded}).
nlohmann::json readJson(const std::filesystem::path& file, const JsonLimits& limits);

/// The text of a small file, at most `limit` bytes. Throws Error{IoFailure, LimitExceeded}.
std::string readSmallFile(const std::filesystem::path& file, std::size_t limit);

/// A name out of an untrusted file, fit for a one-line message: in quotes, control characters replaced, cut at 120 bytes.
std::string quotedName(std::string_view name);
/// What nlohmann's parser says of a syntax error, without its prefix, cut and free of invalid bytes.
std::string jsonErrorText(std::string_view what);

} // namespace tamis::io
