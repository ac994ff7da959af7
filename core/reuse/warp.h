// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Features moved over the grid of patches.
#include "core/base/run_context.h"
#include "core/reuse/motion_field.h"
#include "core/reuse/token_model.h"

#include <cstdint>
#include <vector>

namespace tamis::reuse {

/// Where the features of each patch are taken from: four cells of the grid with their weights, or one.
struct Warp {
    struct Source {
        std::int32_t cells[4] = {0, 0, 0, 0};
        float weights[4] = {1, 0, 0, 0};
        bool own = true; ///< the patch's own cell alone
    };
    std::vector<Source> sources;           ///< [patches]
    std::vector<std::int32_t> nearestCell; ///< likewise
    bool moves() const noexcept;
};

/// Displacements in pixels of patches of patchHeight x patchWidth; what lies beyond the grid is brought to its border. `bilinear`: between four cells; else the
/// nearest. Displacements below 1/64 of a patch are none.
Warp warpOf(const std::vector<Displacement>& motion, std::int64_t gridRows, std::int64_t gridColumns, std::int64_t patchHeight, std::int64_t patchWidth, bool bilinear);

/// Rows behind the prefix moved; the prefix is copied. to and from [prefix + patches, any]. They do not overlap.
void warpRows(const Warp& warp, std::int64_t prefix, kernels::ConstRows from, kernels::Rows to);

/// Keys, values and hidden rows of all tokens. Throws Error{Cancelled}.
void warpState(const Warp& warp, std::int64_t prefix, const TokenState& from, TokenState& to, const RunContext& context = {});

} // namespace tamis::reuse
