// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/optional_samples.h"

#include <algorithm>
#include <string_view>

namespace tamis::lowrank {
namespace {
/// Those that can do without: map errors, the output's error by cause, an MLP's inputs.
constexpr std::string_view kOptional[] = {"lowrank.joint-qk", "lowrank.joint-vo", "lowrank.joint-ud", "lowrank.latent"};
} // namespace

bool takesSamples(const Method& method)
{
    return method.needsSamples || std::ranges::find(kOptional, method.declaration.id) != std::end(kOptional);
}

} // namespace tamis::lowrank
