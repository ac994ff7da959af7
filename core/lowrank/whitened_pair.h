// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The whitened optimum of one large matrix at one rank, with as little memory and work as that takes: no spectrum for every rank,
// no condition of C, arguments consumed.
#include "core/base/run_context.h"
#include "core/tensor/matrix.h"

#include <cstdint>
#include <string>
#include <vector>

namespace tamis::lowrank {

struct WhitenedPair {
    tensor::Matrix<double> b, a; ///< [m, r], [r, n]
    double loss = 0, energy = 0; ///< |(W - B A) X|^2 and |W X|^2 under C, the ridge left out
    std::vector<std::string> warnings;
};

/// Minimises |(W - B A) X|^2 + ridge |W - B A|^2 for w [m, n], c = X X^T [n, n], 1 <= rank <= min(m, n). For m <= n the leading
/// eigenvectors U of W (C + ridge I) W^T give B = U, A = U^T W; a taller W goes through the Cholesky root of C, whose ridge is
/// raised, with a warning, until there is one. `ridge`: times the mean of C's diagonal. Throws Error{InvalidParameter, NonFinite,
/// Cancelled}.
WhitenedPair whitenedPair(tensor::Matrix<double> w, tensor::Matrix<double> c, double ridge, std::int64_t rank, const RunContext& context = {});

/// Peak bytes of it, arguments and result included.
std::uint64_t whitenedPairBytes(std::int64_t m, std::int64_t n, std::int64_t rank) noexcept;
/// Its multiply-adds, for progress weights.
double whitenedPairMacs(std::int64_t m, std::int64_t n, std::int64_t rank) noexcept;

} // namespace tamis::lowrank
