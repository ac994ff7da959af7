// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Directions for random feature maps. Source: Choromanski et al. 2021, Rethinking attention with Performers.
#include "core/attention/method.h"
#include "core/tensor/matrix.h"

#include <cstdint>

namespace tamis::attention {

enum class Directions {
    Independent,    ///< every row drawn from N(0, I)
    Orthogonal,     ///< blocks of orthogonal rows (Haar), their lengths drawn as those of N(0, I): unbiased
    OrthogonalFixed ///< the same with all lengths sqrt(dim)
};

/// [count, dim], a function of the arguments alone. Rows beyond a multiple of dim come from a block of their own.
tensor::Matrix<float> randomDirections(std::int64_t count, std::int64_t dim, Directions kind, std::uint64_t seed);

/// What a draw of these inputs begins with: another one for every block, head and `draw`, a function of them and of the seed alone.
std::uint64_t seedFor(const Inputs& inputs, std::uint64_t draw);

} // namespace tamis::attention
