// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/boosted_trees.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace tamis::cache {

/// Rows in bins, and what they still lack.
struct BoostedTrees::Fit {
    struct Sums {
        double gradient = 0, curvature = 0;
    };
    struct Split {
        double gain = 0;
        std::size_t feature = 0, bin = 0; ///< to the left up to this bin
    };
    std::size_t rows = 0, features = 0;
    BoostingSettings settings;
    std::vector<std::vector<float>> edges; ///< [features, bins - 1] upper ends of bins
    std::vector<std::uint8_t> bins;        ///< [rows, features]
    std::vector<double> scores, gradients, curvatures;
    std::vector<std::uint32_t> places;     ///< [rows] node of the level that a row is in
    std::vector<Sums> histogram;           ///< [nodes of a level, features, bins]

    void sort(std::span<const float> given)
    {
        edges.resize(features);
        bins.resize(rows * features);
        std::vector<float> values(rows);
        for (std::size_t f = 0; f < features; ++f) {
            for (std::size_t i = 0; i < rows; ++i)
                values[i] = given[i * features + f];
            std::ranges::sort(values);
            for (std::size_t bin = 1; bin < kBins; ++bin) { // as many rows in each, but equal values are together
                const float edge = values[bin * rows / kBins];
                if (edge < values.back() && (edges[f].empty() || edge > edges[f].back()))
                    edges[f].push_back(edge);
            }
            for (std::size_t i = 0; i < rows; ++i)
                bins[i * features + f] = static_cast<std::uint8_t>(std::ranges::lower_bound(edges[f], given[i * features + f]) - edges[f].begin());
        }
    }
    void derive(std::span<const std::uint8_t> labels)
    {
        for (std::size_t i = 0; i < rows; ++i) {
            const double p = 1 / (1 + std::exp(-scores[i]));
            gradients[i] = (labels[i] != 0 ? 1.0 : 0.0) - p;
            curvatures[i] = p * (1 - p);
        }
    }
    void count(std::size_t nodes)
    {
        histogram.assign(nodes * features * kBins, {});
        for (std::size_t i = 0; i < rows; ++i) {
            Sums* of = histogram.data() + places[i] * features * kBins;
            const std::uint8_t* bin = bins.data() + i * features;
            for (std::size_t f = 0; f < features; ++f) {
                Sums& sums = of[f * kBins + bin[f]];
                sums.gradient += gradients[i];
                sums.curvature += curvatures[i];
            }
        }
    }
    double worth(const Sums& sums) const noexcept { return sums.gradient * sums.gradient / (sums.curvature + settings.ridge); }
    Sums whole(std::size_t node) const noexcept
    {
        Sums sum;
        for (std::size_t bin = 0; bin < kBins; ++bin) {
            const Sums& each = histogram[node * features * kBins + bin];
            sum.gradient += each.gradient;
            sum.curvature += each.curvature;
        }
        return sum;
    }
    Split best(std::size_t node) const noexcept
    {
        const Sums all = whole(node);
        Split split;
        for (std::size_t f = 0; f < features; ++f) {
            Sums left;
            for (std::size_t bin = 0; bin < edges[f].size(); ++bin) {
                const Sums& each = histogram[(node * features + f) * kBins + bin];
                left.gradient += each.gradient;
                left.curvature += each.curvature;
                const Sums right{all.gradient - left.gradient, all.curvature - left.curvature};
                if (left.curvature < settings.leastCurvature || right.curvature < settings.leastCurvature)
                    continue;
                const double gain = worth(left) + worth(right) - worth(all);
                if (gain > split.gain + 1e-9)
                    split = {gain, f, bin};
            }
        }
        return split;
    }
};

void BoostedTrees::grow(Fit& fit, Node* tree)
{
    std::ranges::fill(fit.places, 0U);
    for (std::size_t level = 0; level <= m_depth; ++level) {
        const std::size_t nodes = std::size_t{1} << level, first = nodes - 1;
        fit.count(nodes);
        if (level == m_depth) {
            for (std::size_t node = 0; node < nodes; ++node) {
                const Fit::Sums sums = fit.whole(node);
                tree[first + node].value = static_cast<float>(fit.settings.shrinkage * sums.gradient / (sums.curvature + fit.settings.ridge));
            }
            for (std::size_t i = 0; i < fit.rows; ++i)
                fit.scores[i] += static_cast<double>(tree[first + fit.places[i]].value);
            return;
        }
        std::vector<Fit::Split> splits;
        for (std::size_t node = 0; node < nodes; ++node) {
            const Fit::Split split = splits.emplace_back(fit.best(node));
            Node& place = tree[first + node];
            place.feature = static_cast<std::uint16_t>(split.feature);
            place.threshold = split.gain > 0 ? fit.edges[split.feature][split.bin] : std::numeric_limits<float>::infinity();
            m_gains[split.feature] += split.gain;
        }
        for (std::size_t i = 0; i < fit.rows; ++i) {
            const Fit::Split& split = splits[fit.places[i]];
            const bool right = split.gain > 0 && fit.bins[i * fit.features + split.feature] > split.bin;
            fit.places[i] = 2 * fit.places[i] + (right ? 1U : 0U);
        }
    }
}

void BoostedTrees::fit(std::span<const float> rows, std::span<const std::uint8_t> labels, std::size_t features, const BoostingSettings& settings)
{
    Fit fit{.rows = labels.size(), .features = features, .settings = settings, .edges = {}, .bins = {}, .scores = {}, .gradients = {}, .curvatures = {}, .places = {}, .histogram = {}};
    fit.sort(rows);
    const auto ones = static_cast<double>(std::ranges::count_if(labels, [](std::uint8_t label) { return label != 0; }));
    m_start = std::log((ones + 0.5) / (static_cast<double>(fit.rows) - ones + 0.5));
    fit.scores.assign(fit.rows, m_start);
    fit.gradients.resize(fit.rows);
    fit.curvatures.resize(fit.rows);
    fit.places.resize(fit.rows);
    m_depth = settings.depth;
    m_places = (std::size_t{2} << m_depth) - 1;
    m_nodes.assign(settings.trees * m_places, {});
    m_gains.assign(features, 0.0);
    for (std::size_t tree = 0; tree < settings.trees; ++tree) {
        fit.derive(labels);
        grow(fit, m_nodes.data() + tree * m_places);
    }
    m_fitted = true;
}

double BoostedTrees::score(std::span<const float> x) const noexcept
{
    double sum = m_start;
    for (const Node* tree = m_nodes.data(); tree != m_nodes.data() + m_nodes.size(); tree += m_places) {
        std::size_t place = 0;
        for (std::size_t level = 0; level < m_depth; ++level)
            place = 2 * place + (x[tree[place].feature] > tree[place].threshold ? 2 : 1);
        sum += static_cast<double>(tree[place].value);
    }
    return sum;
}

} // namespace tamis::cache
