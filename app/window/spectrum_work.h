// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What the spectrum tab asks of core: from settings to pictures, at two levels. Runs on the lane's worker, never on the
// window's thread.
#include "core/base/run_context.h"
#include "core/io/calibration.h"
#include "core/io/checkpoint.h"
#include "core/plan/allocate.h"
#include "core/plan/latency.h"
#include "core/report/landscape.h"
#include "core/report/spectrum_series.h"

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace tamis::app {

/// A snapshot of everything that the pictures depend on.
struct SpectrumRequest {
    std::shared_ptr<const io::Checkpoint> checkpoint;
    std::shared_ptr<const io::CalibrationSet> calibration;
    std::string method; ///< method id
    Parameters parameters;
    plan::BudgetRequest budget;
    std::string current;              ///< matrix in focus: computed first
    std::vector<std::string> overlay; ///< matrices drawn
    report::SeriesOptions series;
};

/// Values for the views, and the request that made them.
struct SpectrumPicture {
    SpectrumRequest request;
    std::shared_ptr<const report::SpectrumReport> spectra;
    report::BudgetReport budget;
    std::vector<report::Series> series;
    std::shared_ptr<const report::Landscape> landscape;
    /// The trivial way to the same keep: uniform ranks, factors of the plain SVD, loss under the same calibration. Nothing
    /// where the report has no baseline.
    struct Baseline {
        report::Cost cost;
        double keep = 1, relativeLoss = 0;
    };
    std::optional<Baseline> baseline;
    bool complete = false; ///< false: spectra of other settings stand in for some matrices
};

/// Remembers the last spectra, so that a keep slider costs an allocation and not a decomposition. One thread at a time.
class SpectrumWork {
public:
    using Picture = std::shared_ptr<const SpectrumPicture>;
    explicit SpectrumWork(std::shared_ptr<plan::LatencyCache> latencies);

    /// A first picture in some 30 ms: from remembered spectra when they are of these settings; else the matrices in focus
    /// are computed anew as far as they are small and the rest stands in from before. Null when there is nothing to show.
    Picture coarse(const SpectrumRequest& request);
    /// The whole picture. `publish` receives pictures of what is ready so far when it takes long. Latency is measured where
    /// that takes a moment only. Throws tamis::Error.
    Picture refine(const SpectrumRequest& request, const RunContext& context, const std::function<void(Picture)>& publish = {});

private:
    struct Remembered {
        SpectrumRequest request;
        std::shared_ptr<const report::SpectrumReport> spectra;
        std::shared_ptr<const report::Landscape> landscape;
    };
    const Remembered* remembered(const SpectrumRequest& request) const;
    const Remembered& remember(const SpectrumRequest& request, std::shared_ptr<const report::SpectrumReport> spectra);
    Picture draw(const SpectrumRequest& request, const Remembered& from, bool complete, const RunContext& context);
    report::SpectrumReport compute(const SpectrumRequest& request, const RunContext& context,
                                   const std::function<void(Picture)>& publish);

    std::shared_ptr<plan::LatencyCache> m_latencies;
    std::deque<Remembered> m_remembered; ///< newest first
};

} // namespace tamis::app
