// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Session files: JSON, schema tamis.session/1, described in docs/formats-session.md.
#include "app/session/session_state.h"

#include <filesystem>
#include <string_view>

namespace tamis::app {

/// Paths beside or below `base` are written relative to it, all others absolute. Numbers come back exactly; bytes that are not
/// UTF-8 are replaced.
std::string sessionToJson(const SessionState& state, const std::filesystem::path& base);
/// Throws Error{MalformedFile (key, found, expected), UnsupportedFeature (other version of the schema), LimitExceeded}.
SessionState sessionFromJson(std::string_view json, const std::filesystem::path& base, const std::string& subject);

SessionState readSession(const std::filesystem::path& file);
void writeSession(const std::filesystem::path& file, const SessionState& state); ///< atomic

inline constexpr const char* kSessionSuffix = "tamis";

} // namespace tamis::app
