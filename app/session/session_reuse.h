// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The frame player's part of a session file. Internal to app/session.
#include "app/session/reuse_choice.h"
#include "app/session/session_reader.h"
#include "core/plan/planned_reuse.h"

#include <filesystem>
#include <optional>

namespace tamis::app {

nlohmann::ordered_json reuseToJson(const ReuseChoice& choice, const std::filesystem::path& base);
ReuseChoice reuseFrom(const SessionReader& reader, const std::filesystem::path& base); ///< throws Error{MalformedFile}
nlohmann::ordered_json plannedReuseToJson(const std::optional<plan::PlannedReuse>& planned);
plan::PlannedReuse plannedReuseFrom(const SessionReader& reader); ///< throws Error{MalformedFile}

} // namespace tamis::app
