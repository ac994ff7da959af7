// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Gradient-boosted regression trees on histograms (Friedman 2001; splits by Newton gains as Chen, Guestrin 2016), for labels 0 and 1. Private to the
// lab. Small, serial, deterministic.
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace tamis::cache {

struct BoostingSettings {
    std::size_t trees = 24, depth = 4; ///< depth 10 at most
    double shrinkage = 0.25;
    double ridge = 1;                  ///< of leaves
    double leastCurvature = 8;         ///< on both sides of a split: about four times as many rows
};

class BoostedTrees {
public:
    /// rows [n, features] finite, labels [n] 0 or 1, one row at least.
    void fit(std::span<const float> rows, std::span<const std::uint8_t> labels, std::size_t features, const BoostingSettings& settings);
    bool fitted() const noexcept { return m_fitted; }
    /// Log odds.
    double score(std::span<const float> x) const noexcept;
    std::vector<double> gains() const { return m_gains; } ///< [features] that splits on them brought, together
    std::size_t bytesHeld() const noexcept { return m_nodes.capacity() * sizeof(Node); }

private:
    static constexpr std::size_t kBins = 32;
    /// Trees of one depth, level by level: children of place i are 2i + 1 and 2i + 2. A place without a split sends all to the left.
    struct Node {
        float threshold = 0; ///< inner: to the left where x <= threshold
        float value = 0;     ///< leaf
        std::uint16_t feature = 0;
    };
    struct Fit;
    void grow(Fit& fit, Node* tree);
    std::size_t m_depth = 0, m_places = 0; ///< of one tree
    double m_start = 0;
    bool m_fitted = false;
    std::vector<Node> m_nodes;
    std::vector<double> m_gains;
};

} // namespace tamis::cache
