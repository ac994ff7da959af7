// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The settings of single allocations as parameters: for command lines, panels, plans.
#include "core/base/parameter_schema.h"
#include "core/plan/allocate.h"

#include <span>
#include <string>

namespace tamis::plan {

/// A number among AllocationSettings, with its range.
struct RealSetting {
    const char* name;    ///< in the schema: "depth-gamma"
    const char* jsonKey; ///< in a plan: "depthGamma"
    double AllocationSettings::* member;
    double least, most;
    const char* title;
    const char* help;
};
std::span<const RealSetting> realSettings() noexcept;

const ParameterSchema& allocationSchema();
/// Throws Error{InvalidParameter} for a name, type or value that the schema refuses; what is missing has its default.
AllocationSettings settingsFrom(const Parameters& given);
Parameters parametersOf(const AllocationSettings& settings);
/// Throws Error{InvalidParameter} naming the setting.
void requireSettings(const AllocationSettings& settings);

} // namespace tamis::plan
