// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Means over predictions and how they scatter from batch to batch.
#include "core/report/evaluation_report.h"

#include <cstdint>

namespace tamis::measure {

/// Sums of one batch after the other, in double, in the order given.
class BatchSpread {
public:
    /// A batch with `count` predictions whose values sum to `sum`; a batch without predictions is ignored.
    void add(double sum, std::uint64_t count);

    std::uint64_t count() const noexcept { return m_count; }
    double sum() const noexcept { return m_sum; }
    /// Mean over all predictions; standard deviation of the batch means around their own mean (n - 1), NaN with fewer than two
    /// batches. Not measured without predictions.
    report::Measured measured() const;
    /// exp of the mean, and the deviation of the batches' exp(mean): perplexity from negative log-likelihoods.
    report::Measured exponential() const;

private:
    /// Running mean and sum of squared deviations: Welford, Technometrics 4 (1962).
    struct Moments {
        double mean = 0, squares = 0;
        void add(double value, std::uint64_t number);
        double deviation(std::uint64_t number) const;
    };
    double m_sum = 0;
    std::uint64_t m_count = 0, m_batches = 0;
    Moments m_means, m_exponentials;
};

} // namespace tamis::measure
