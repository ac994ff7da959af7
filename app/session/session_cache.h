// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The cache lab's part of a session file. Internal to app/session.
#include "app/session/cache_choice.h"
#include "app/session/session_reader.h"
#include "core/plan/planned_cache.h"

#include <filesystem>
#include <optional>

namespace tamis::app {

nlohmann::ordered_json cacheToJson(const CacheChoice& choice, const std::filesystem::path& base);
CacheChoice cacheFrom(const SessionReader& reader, const std::filesystem::path& base); ///< throws Error{MalformedFile}
nlohmann::ordered_json plannedCacheToJson(const std::optional<plan::PlannedCache>& planned);
plan::PlannedCache plannedCacheFrom(const SessionReader& reader); ///< throws Error{MalformedFile}

} // namespace tamis::app
