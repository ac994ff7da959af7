// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The fields of an autoencoder's configuration, each read with its kind and range checked. Used by the readers of the
// formats only.
#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tamis::io
{

/// No size of an autoencoder exceeds it: latents are counted in 32 bits.
inline constexpr std::int64_t kMaximumSaeSize = std::numeric_limits<std::int32_t>::max();

/// The document in `text`: a JSON object, or Error{MalformedFile}. Error{LimitExceeded} for one beyond 1 MiB.
nlohmann::json parseSaeDocument(std::string_view text, const std::string& subject);
nlohmann::json readSaeDocument(const std::filesystem::path& file);

/// A view of one JSON object; a field that is null counts as absent. Throws Error{MalformedFile} for another kind or
/// range. Object and subject must outlive it.
class SaeFields
{
public:
    SaeFields(const nlohmann::json& object, const std::string& subject) : m_object(object), m_subject(subject) {}

    const nlohmann::json* find(std::string_view name) const;
    std::optional<std::int64_t> whole(std::string_view name, std::int64_t least) const; ///< up to kMaximumSaeSize
    std::optional<double> positive(std::string_view name) const;                        ///< finite and above 0
    bool flag(std::string_view name, bool otherwise) const;
    std::string text(std::string_view name, const std::string& otherwise = {}) const;
    const nlohmann::json& object(std::string_view name) const; ///< an empty one where there is none
    /// The keys that are not among `known`, in order, shortened.
    std::vector<std::string> others(std::initializer_list<std::string_view> known) const;

    [[noreturn]] void lacks(std::string_view name, const std::string& expected) const;
    [[noreturn]] void unsupported(std::string_view name, const std::string& found, const std::string& expected) const;
    [[noreturn]] void malformed(const std::string& message) const;

private:
    [[noreturn]] void refuse(std::string_view name, const nlohmann::json& found, const std::string& expected) const;
    const nlohmann::json& m_object;
    const std::string& m_subject;
};

} // namespace tamis::io
