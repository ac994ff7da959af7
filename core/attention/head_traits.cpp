// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/head_traits.h"

#include "core/linalg/singular_values.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tamis::attention {
namespace {
/// Means over those queries that have the value.
struct Mean {
    double sum = 0;
    std::int64_t count = 0;
    void add(double value)
    {
        sum += value;
        ++count;
    }
    double value() const { return count > 0 ? sum / static_cast<double>(count) : report::kNotMeasured; }
};

double entropyOf(std::span<const double> weights, double total)
{
    double entropy = 0;
    for (const double weight : weights)
        if (const double p = weight / total; p > 0)
            entropy -= p * std::log(p);
    return entropy;
}

std::int64_t keysSeen(const TokenPlaces& places, std::int64_t query, std::int64_t tokens)
{
    if (!places.causal)
        return tokens;
    return places.slidingWindow > 0 ? std::min(query + 1, places.slidingWindow) : query + 1;
}

double distanceBetween(const TokenPlaces& places, std::int64_t a, std::int64_t b)
{
    if (!places.photo())
        return std::abs(static_cast<double>(a - b));
    const std::int64_t i = a - places.prefix, j = b - places.prefix;
    return std::hypot(static_cast<double>(i / places.gridWidth - j / places.gridWidth), static_cast<double>(i % places.gridWidth - j % places.gridWidth));
}
} // namespace

TokenPlaces placesOf(const nn::ModelSpec& spec, int block, std::int64_t tokens)
{
    const nn::BlockSpec& own = spec.blocks[static_cast<std::size_t>(block)];
    TokenPlaces places{.causal = own.attention.causal, .slidingWindow = own.attention.causal ? own.attention.slidingWindow : 0};
    if (!spec.vision())
        return places;
    const std::int64_t height = own.gridHeight > 0 ? own.gridHeight : spec.patch.gridHeight, width = own.gridWidth > 0 ? own.gridWidth : spec.patch.gridWidth;
    if (height * width + spec.patch.prefixTokens == tokens) {
        places.prefix = spec.patch.prefixTokens;
        places.gridHeight = height;
        places.gridWidth = width;
    }
    return places;
}

report::HeadTraits headTraits(tensor::MatrixView<const float> map, const TokenPlaces& places, bool rank, const RunContext& context)
{
    const std::int64_t tokens = map.cols, prefix = places.photo() ? places.prefix : 0, first = places.photo() ? places.prefix : std::min<std::int64_t>(1, tokens);
    Mean entropy, evenness, distance, mass;
    std::vector<double> row(static_cast<std::size_t>(tokens));
    for (std::int64_t i = 0; i < map.rows; ++i) {
        if (i % 64 == 0)
            context.throwIfStopped();
        std::ranges::copy(map.row(i), row.begin());
        const double spread = entropyOf(row, 1);
        entropy.add(spread);
        if (const std::int64_t seen = keysSeen(places, i, tokens); seen > 1)
            evenness.add(spread / std::log(static_cast<double>(seen)));
        mass.add(std::accumulate(row.begin(), row.begin() + first, 0.0));
        double far = 0, there = 0;
        for (std::int64_t j = prefix; j < tokens && i >= prefix; ++j) {
            far += row[static_cast<std::size_t>(j)] * distanceBetween(places, i, j);
            there += row[static_cast<std::size_t>(j)];
        }
        if (there > 0)
            distance.add(far / there);
    }
    report::HeadTraits traits{entropy.value(), evenness.value(), distance.value(), mass.value(), report::kNotMeasured, static_cast<double>(tokens)};
    if (rank && tokens <= kMostRankTokens) {
        const std::vector<double> values = linalg::singularValues(map, context);
        const double total = std::accumulate(values.begin(), values.end(), 0.0);
        if (total > 0)
            traits.effectiveRank = std::exp(entropyOf(values, total));
    }
    return traits;
}

void addTraits(report::HeadTraits& mean, const report::HeadTraits& one, std::size_t before)
{
    for (double report::HeadTraits::*const value : {&report::HeadTraits::entropy, &report::HeadTraits::evenness, &report::HeadTraits::distance, &report::HeadTraits::prefixMass,
                                                    &report::HeadTraits::effectiveRank, &report::HeadTraits::tokens})
        mean.*value = before == 0 ? one.*value : mean.*value + (one.*value - mean.*value) / static_cast<double>(before + 1);
}

} // namespace tamis::attention
