// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What a plan says of feature reuse, and how settings of reuse are named.
#include "app/session/session_state.h"

#include <QString>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace tamis::plan {
struct Plan;
} // namespace tamis::plan

namespace tamis::app {

/// What `plan` has of feature reuse, with every parameter of its method; nothing: every frame is run whole. Throws Error{UnsupportedFeature} for a
/// method that there is not, Error{MalformedFile} for parameters that it has not.
std::optional<plan::PlannedReuse> plannedReuseOf(const plan::Plan& plan, const std::filesystem::path& file);
/// Makes it the session's part of the plan and, where there is some, the frame player's setting.
void takePlannedReuse(SessionState& state, const std::optional<plan::PlannedReuse>& planned);

/// With every parameter of its method; those that it has not are left out, all of a method that there is not.
Parameters completeParameters(const ReuseSetting& setting);
/// What makes the setting's key looser or tighter: "radius" of dHash and pHash, "bits" of hashed components; empty: it has no key.
std::string sweptParameter(const ReuseSetting& setting);
/// The setting over that parameter, some values over its range; none without.
std::vector<ReuseSetting> sweptSettings(const ReuseSetting& setting);
/// The same for settings that say the same: method and all parameters with their values.
std::string settingKey(const ReuseSetting& setting);
/// "Token gate, threshold 0.2": its title and those parameters that have not their defaults.
QString reuseSettingTitle(const ReuseSetting& setting);

} // namespace tamis::app
