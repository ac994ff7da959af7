// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Measured time of a model's linear operators, dense and as a budget replaces them.
#include "core/base/run_context.h"
#include "core/report/budget_report.h"
#include "core/report/spectrum_report.h"

#include <compare>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

namespace tamis::plan {

/// One operator, y [tokens, m] = x [tokens, n] W^T, in F32.
struct LatencyKey {
    std::int64_t m = 0, n = 0;
    std::int64_t rank = 0; ///< ignored (set to 0) for "dense"
    std::string layout;    ///< "dense", "factors", "block-identity", "remapped" (runs as factors: it is decoded at load)
    std::int64_t tokens = 0;
    auto operator<=>(const LatencyKey&) const = default;
};

/// Measurements made so far. Thread-safe; measurements themselves take turns, so that they do not disturb one another.
class LatencyCache {
public:
    /// Median milliseconds of applying the operator once, measured with the threads of the current arena (rows of x in
    /// tiles, single-thread BLAS) or remembered. Throws Error{InvalidParameter, OutOfMemory, Cancelled}.
    double milliseconds(const LatencyKey& key, const RunContext& context = {});
    std::size_t size() const;

private:
    mutable std::mutex m_mutex; ///< guards m_measured
    std::mutex m_turn;          ///< held while measuring
    std::map<LatencyKey, double> m_measured;
};

struct LatencyOptions {
    std::int64_t tokens = 256; ///< activations in the batch
};

/// Fills before.latencyMs, after.latencyMs, latencyTokens and each matrix's cost.latencyMs of `budget`: the time of the
/// linear operators one after the other, nothing else of the model. `spectra` is the report that `budget` was made from.
void measureLatency(report::BudgetReport& budget, const report::SpectrumReport& spectra, LatencyCache& cache,
                    const LatencyOptions& options, const RunContext& context);

} // namespace tamis::plan
