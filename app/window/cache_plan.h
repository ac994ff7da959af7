// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "app/session/session_state.h"
#include "core/plan/plan.h"

#include <QString>

#include <filesystem>
#include <optional>

namespace tamis::app {

/// What `plan` has of the cache lab, with every parameter of its policy; nothing: it has no cache. Throws Error{UnsupportedFeature} for a policy that
/// there is not, Error{MalformedFile} for parameters that it has not.
std::optional<plan::PlannedCache> plannedCacheOf(const plan::Plan& plan, const std::filesystem::path& file);
/// Makes it the session's part of the plan and, where there is some, the cache lab's setting.
void takePlannedCache(SessionState& state, const std::optional<plan::PlannedCache>& planned);
/// "LRU-K, k 3, 1200 objects, warm-up 10 %".
QString plannedCacheTitle(const plan::PlannedCache& planned);

} // namespace tamis::app
