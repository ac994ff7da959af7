// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Linformer's projections fitted to calibration samples, head by head: docs/methods/attention.fitted-linformer.md.
#include "core/attention/linformer.h"

#include <cstdint>
#include <vector>

namespace tamis::attention {

struct ProjectionFit {
    std::int64_t rows = 32;
    double energy = 0;     ///< above 0: not `rows`, but the least number of directions that hold this share of the energy of the maps, sum of P^T P
    /// F: times the mean diagonal of sum P'^T P', of |F - segment means|^2, which is added: few samples say little of many numbers.
    double ridge = 0;
    bool subspace = false; ///< E: false: segment means; true: the directions along the tokens that hold most of the keys
};

struct FittedProjections {
    TokenProjections projections;
    std::vector<double> mapEnergy; ///< eigenvalues of the sum of P^T P, descending; empty where energy is 0
    double mapError = 0;           ///< sum over samples of |P' F - P|_F^2 over that of |P|_F^2, P' = softmax(s q (E k)^T)
};

/// Of one head. Subspace: the rows of E are orthonormal and sum |K - E^T E K|_F^2 is least (Eckart, Young 1936). F, given E: sum |P' F - P|_F^2, and what `ridge` adds, is
/// least; without ridge, of all such F it is the nearest to segment means. In double. Throws Error{InvalidParameter} for no sample, and for samples of unlike numbers of tokens,
/// Error{NonFinite} for queries or keys that are no finite numbers.
FittedProjections fitProjections(const HeadShape& shape, const BlockSamples& samples, const ProjectionFit& fit, const RunContext& context = {});
/// id attention.fitted-linformer. Not causal.
Method fittedLinformerMethod();

} // namespace tamis::attention
