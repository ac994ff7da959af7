// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The fleet lab's part of a session file. Internal to app/session.
#include "app/session/fleet_choice.h"
#include "app/session/session_reader.h"

namespace tamis::app {

nlohmann::ordered_json fleetToJson(const FleetChoice& choice);
FleetChoice fleetFrom(const SessionReader& reader); ///< throws Error{MalformedFile}

} // namespace tamis::app
