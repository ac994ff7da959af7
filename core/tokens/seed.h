// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The one seed of a method that draws: a parameter, so that what is recorded of a run repeats it. Private to the lab.
#include "core/base/parameter_schema.h"

#include <cstdint>
#include <string>

namespace tamis::tokens {

/// "seed"; `help` says of what.
ParameterSpec seedParameter(std::string help);
/// That of complete parameters.
std::uint64_t seedOf(const Parameters& parameters);

} // namespace tamis::tokens
