// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/random_projection.h"

#include "core/base/error.h"
#include "core/encoder/low_rank.h"
#include "core/encoder/weighted_factors.h"

#include <cmath>
#include <numbers>
#include <random>
#include <string>

namespace tamis::encoder {

ScorerPtr randomProjectionScorer(const Dictionary& dictionary, std::int64_t rank, std::uint64_t seed, const std::vector<double>& mean, const RunContext& context)
{
    if (rank < 1)
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(rank) + " random directions, expected at least one", "rank");
    WeightedFactors factors;
    factors.a = tensor::Matrix<double>(rank, dictionary.width());
    std::mt19937_64 generator(seed);
    const auto uniform = [&] { return (static_cast<double>(generator() >> 11) + 0.5) * 0x1p-53; };
    for (double& value : factors.a.values()) { // Box and Muller on the bits: the same numbers with every standard library
        const double radius = std::sqrt(-2.0 * std::log(uniform()));
        value = radius * std::cos(2.0 * std::numbers::pi * uniform());
    }
    factors.b = productOfRows(dictionary.rows(), factors.a, 1.0 / static_cast<double>(rank), context);
    std::vector<float> bias = mean.empty() ? dictionary.bias() : foldedBias(dictionary.rows(), dictionary.bias(), factors, mean, context);
    return lowRankScorer(factors.b.view(), factors.a.view(), std::move(bias));
}

} // namespace tamis::encoder
