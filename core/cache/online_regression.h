// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Small regressions that policies learn from the requests they see. Private to the lab. In double; nothing depends on threads.
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace tamis::cache {

/// y = w . x by recursive least squares (Plackett 1950; Haykin, Adaptive filter theory, ch. 10): after n pairs the ridge solution, with what is older
/// counting `forgetting` as much for each pair since.
class RecursiveLeastSquares {
public:
    /// `prior`: of 1 / prior is the ridge.
    explicit RecursiveLeastSquares(std::size_t features, double forgetting = 1, double prior = 1e4);
    double predict(std::span<const double> x) const noexcept;
    void learn(std::span<const double> x, double y);
    const std::vector<double>& weights() const noexcept { return m_weights; }
    std::uint64_t learned() const noexcept { return m_learned; }

private:
    std::size_t m_features;
    double m_forgetting, m_mostTrace;
    std::vector<double> m_weights, m_p, m_gain; ///< [n]; inverse of the weighted moments [n, n]; [n]
    std::uint64_t m_learned = 0;
};

/// P(label) = 1 / (1 + exp(-(b + w . x))) by Newton's method on the penalised likelihood, on features brought to mean 0 and deviation 1.
class LogisticRegression {
public:
    /// rows [n, features], labels [n] 0 or 1. `ridge`: of the standardised weights, for each row. One kind of labels: its share is all that is known.
    void fit(std::span<const float> rows, std::span<const std::uint8_t> labels, std::size_t features, double ridge = 1e-4);
    bool fitted() const noexcept { return !m_weights.empty(); }
    /// Log odds.
    double score(std::span<const float> x) const noexcept;
    const std::vector<double>& weights() const noexcept { return m_weights; } ///< [features] of the features as they are
    double intercept() const noexcept { return m_intercept; }

private:
    std::vector<double> m_weights;
    double m_intercept = 0;
};

} // namespace tamis::cache
