// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Patches that no score may take away: the border of the grid, the strongest edges of the image.
#include "core/base/parameter_schema.h"
#include "core/nn/model_spec.h"
#include "core/tokens/reduction.h"

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace tamis::tokens {

enum class Protection { None, Border, Gradient, Both };

/// [patches] 1: the outermost ring of the grid.
std::vector<std::uint8_t> borderPatches(std::int64_t gridRows, std::int64_t gridCols);
/// [patches] 1: the ceil(share patches) of the highest values, those of 0 left out; of equal ones the earlier.
std::vector<std::uint8_t> highestPatches(std::span<const double> values, double share);

/// `inner`, which sees the protected patches as kept by the user: they count within the number that it keeps, and stay where they are more. What
/// the user drops stays dropped. `share` is of the patches protected by their edges, the strength of which is patchEdges().
ReductionPtr protectedStep(ReductionPtr inner, const nn::PatchSpec& patch, Protection protection, double share);

/// "protect" and "protect-share" of methods that prune.
ParameterSpec protectParameter();
ParameterSpec protectShareParameter();
/// Wraps the steps of the chain as `parameters` say; without protection leaves it as it is. Throws Error{InvalidParameter}.
void protectPatches(const nn::PatchSpec& patch, const Parameters& parameters, Chain& chain);

} // namespace tamis::tokens
