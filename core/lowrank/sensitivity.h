// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What each matrix's compression alone does to the model's predictions: measured, one matrix at a time.
#include "core/lowrank/method.h"
#include "core/report/sensitivity_report.h"

#include <cstddef>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace tamis::lowrank {

/// Points measured so far, by content (model, calibration set, samples, decomposition, matrix, rank). Thread-safe.
class SensitivityCache {
public:
    std::optional<report::SensitivityPoint> find(const std::string& key) const;
    void put(const std::string& key, const report::SensitivityPoint& point);
    std::size_t size() const;
    /// One for the process.
    static SensitivityCache& shared();

private:
    mutable std::mutex m_mutex;
    std::map<std::string, report::SensitivityPoint> m_points;
};

struct SensitivityOptions {
    std::vector<double> keeps{0.4, 0.5, 0.6, 0.7, 0.8, 0.9}; ///< each in (0, 1); any order
    plan::Accounting accounting = plan::Accounting::Factors; ///< decides a keep's rank; the factors are measured in float32 whatever it is
    std::size_t samples = 8;         ///< of inputs.samples, evenly spread; 0: all
    bool blocks = true;              ///< block influence, too
    const report::SpectrumReport* spectra = nullptr; ///< of the same decomposition: where relativeLoss is from; null: not filled
    SensitivityCache* cache = nullptr; ///< null: SensitivityCache::shared()
};

/// `soFar` holds the finished matrices; called from the thread that measures.
using MatrixMeasured = std::function<void(const report::SensitivityReport& soFar)>;

/// The factors are those of the whitened spectrum, of the plain one without a calibration set. Outputs of the dense model are
/// kept in memory. A matrix whose decomposition is impossible (NaN) is left out with a warning. The same numbers for any number
/// of threads. Throws Error{InvalidParameter (no model, no samples, a keep out of its range), NonFinite (a sample's output),
/// OutOfMemory, Cancelled}; finished matrices stay in the cache.
report::SensitivityReport measureSensitivity(const Inputs& inputs, const std::vector<const io::MatrixRef*>& targets,
                                             const SensitivityOptions& options, const RunContext& context, const MatrixMeasured& finished = {});

} // namespace tamis::lowrank
