// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What some allocations need beside the spectra: measurements of the running model, by matrix name. Plain values;
// core/lowrank makes them.
#include "core/plan/latency_curve.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace tamis::plan {

/// Of one matrix compressed alone.
struct MeasuredLoss {
    std::int64_t rank = 0;
    double loss = 0; ///< of quality, in any unit that grows with harm (nats a prediction); at or below 0: no harm was seen
    bool operator==(const MeasuredLoss&) const = default;
};

struct AllocationEvidence {
    std::map<std::string, std::vector<MeasuredLoss>> sensitivity; ///< for `sensitivity` and `measured-greedy`; in any order, finite
    /// For `loss-aware`: first-order change of the task loss, <dLoss/dW, W_r - W>, at each rank r = 0 .. min(m, n) of the
    /// spectrum's factors; 0 at the last.
    std::map<std::string, std::vector<double>> lossChange;
    std::map<std::string, double> importance;   ///< for `effective-rank` by block influence; any scale, finite
    std::map<std::string, LatencyCurve> latency; ///< for a budget of latency
};

} // namespace tamis::plan
