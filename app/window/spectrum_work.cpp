// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/spectrum_work.h"

#include "core/base/error.h"
#include "core/plan/model_cost.h"
#include "core/spectrum/method.h"

#include <algorithm>
#include <chrono>
#include <thread>

namespace tamis::app {
namespace {
constexpr std::size_t kRememberedReports = 6;
constexpr double kCoarseMacs = 1.5e8;   ///< decompositions of this many multiply-adds take some 20 ms on one core
constexpr double kLatencyMacs = 2e9;    ///< measured at once below this; above on request only
constexpr std::int64_t kLatencyTokens = 256;
constexpr auto kLatencyDelay = std::chrono::milliseconds(36); ///< without a new request, before latency is measured
constexpr auto kPublishInterval = std::chrono::milliseconds(400);

bool sameSpectra(const SpectrumRequest& a, const SpectrumRequest& b)
{
    return a.checkpoint == b.checkpoint && a.calibration == b.calibration && a.method == b.method &&
           a.parameters == b.parameters;
}

double decompositionMacs(const io::MatrixRef& matrix, bool whitened)
{
    const auto rows = static_cast<double>(matrix.rows), cols = static_cast<double>(matrix.cols);
    const double small = std::min(rows, cols);
    return 4 * small * small * small + rows * cols * small + (whitened ? rows * cols * cols + 2 * cols * cols * cols : 0);
}

const spectrum::Method& methodOf(const SpectrumRequest& request)
{
    if (const auto* method = spectrum::findMethod(request.method))
        return *method;
    throw Error(ErrorCode::InvalidParameter, "is not a method of the spectrum lab", request.method);
}
/// Mean over the compressible matrices, as report::BudgetReport::predictedRelativeLoss, but of the plain SVD's factors.
std::optional<SpectrumPicture::Baseline> baselineOf(const report::SpectrumReport& spectra, const report::Cost& total,
                                                    plan::BudgetRequest budget, const RunContext& context)
{
    budget.allocation = plan::Allocation::Uniform;
    budget.overrides.clear();
    const auto uniform = plan::allocate(spectra, total, budget, context);
    double sum = 0;
    std::size_t count = 0;
    for (std::size_t i = 0; i < spectra.matrices.size(); ++i) {
        const auto& matrix = spectra.matrices[i];
        const auto& curve = matrix.tokens > 0 ? matrix.baselineLoss : matrix.loss; // the plain spectrum is its own baseline
        if (!matrix.compressible || curve.empty() || !(matrix.loss.front() > 0))
            continue;
        const auto& chosen = uniform.matrices[i];
        const auto rank = std::min(static_cast<std::size_t>(chosen.rank), curve.size() - 1);
        sum += chosen.dense ? 0 : curve[rank] / matrix.loss.front();
        ++count;
    }
    if (count == 0)
        return {};
    return SpectrumPicture::Baseline{uniform.after, uniform.achievedKeep, sum / static_cast<double>(count)};
}
} // namespace

SpectrumWork::SpectrumWork(std::shared_ptr<plan::LatencyCache> latencies) : m_latencies(std::move(latencies)) {}

const SpectrumWork::Remembered* SpectrumWork::remembered(const SpectrumRequest& request) const
{
    for (const auto& entry : m_remembered)
        if (sameSpectra(entry.request, request))
            return &entry;
    return nullptr;
}

const SpectrumWork::Remembered& SpectrumWork::remember(const SpectrumRequest& request,
                                                       std::shared_ptr<const report::SpectrumReport> spectra)
{
    auto landscape = std::make_shared<const report::Landscape>(report::buildLandscape(*spectra));
    m_remembered.push_front({request, std::move(spectra), std::move(landscape)});
    if (m_remembered.size() > kRememberedReports)
        m_remembered.pop_back();
    return m_remembered.front();
}

SpectrumWork::Picture SpectrumWork::draw(const SpectrumRequest& request, const Remembered& from, bool complete,
                                         const RunContext& context)
{
    auto picture = std::make_shared<SpectrumPicture>();
    picture->request = request;
    picture->spectra = from.spectra;
    picture->landscape = from.landscape;
    picture->complete = complete;
    const auto total = plan::modelCost(*request.checkpoint);
    picture->budget = plan::allocate(*from.spectra, total, request.budget, context);
    picture->baseline = baselineOf(*from.spectra, total, request.budget, context);
    picture->series = report::buildSpectrumSeries(*from.spectra, request.overlay, request.series);
    return picture;
}

SpectrumWork::Picture SpectrumWork::coarse(const SpectrumRequest& request)
{
    if (const auto* known = remembered(request))
        return draw(request, *known, true, {});

    // Spectra of other settings of the same model stand in; what is in focus is computed anew.
    const auto standIn = std::find_if(m_remembered.begin(), m_remembered.end(), [&](const Remembered& entry) {
        return entry.request.checkpoint == request.checkpoint && entry.spectra;
    });
    if (standIn == m_remembered.end())
        return nullptr;
    const auto& method = methodOf(request);
    spectrum::Inputs inputs{request.checkpoint, request.calibration, {}};
    double macs = 0;
    for (const auto& matrix : request.checkpoint->layout().matrices) {
        const bool inFocus = matrix.name == request.current ||
                             std::find(request.overlay.begin(), request.overlay.end(), matrix.name) != request.overlay.end();
        const double cost = decompositionMacs(matrix, method.needsCalibration);
        if (inFocus && macs + cost <= kCoarseMacs) {
            inputs.matrices.push_back(matrix.name);
            macs += cost;
        }
    }
    auto mixed = std::make_shared<report::SpectrumReport>(*standIn->spectra);
    if (!inputs.matrices.empty()) {
        auto fresh = method.run(inputs, request.parameters, {});
        for (auto& matrix : fresh.matrices)
            for (auto& old : mixed->matrices)
                if (old.name == matrix.name)
                    old = std::move(matrix);
    }
    return draw(request, {request, mixed, standIn->landscape}, false, {});
}

report::SpectrumReport SpectrumWork::compute(const SpectrumRequest& request, const RunContext& context,
                                             const std::function<void(Picture)>& publish)
{
    const auto& method = methodOf(request);
    const auto& matrices = request.checkpoint->layout().matrices;
    double total = 0;
    for (const auto& matrix : matrices)
        total += decompositionMacs(matrix, method.needsCalibration);

    // In batches of about a second, so that a large model fills the window as it goes.
    constexpr double kBatchMacs = 5e10;
    report::SpectrumReport whole;
    context.setParts(total);
    auto lastPublished = std::chrono::steady_clock::now();
    for (std::size_t first = 0; first < matrices.size();) {
        spectrum::Inputs inputs{request.checkpoint, request.calibration, {}};
        double macs = 0;
        std::size_t last = first;
        for (; last < matrices.size() && (macs < kBatchMacs || last == first); ++last) {
            inputs.matrices.push_back(matrices[last].name);
            macs += decompositionMacs(matrices[last], method.needsCalibration);
        }
        auto batch = method.run(inputs, request.parameters, context.part(macs, "spectra"));
        whole.method = batch.method;
        whole.parameters = batch.parameters;
        whole.seconds += batch.seconds;
        std::move(batch.matrices.begin(), batch.matrices.end(), std::back_inserter(whole.matrices));
        for (auto& warning : batch.warnings)
            if (std::find(whole.warnings.begin(), whole.warnings.end(), warning) == whole.warnings.end())
                whole.warnings.push_back(std::move(warning));
        first = last;
        const auto now = std::chrono::steady_clock::now();
        if (publish && first < matrices.size() && now - lastPublished > kPublishInterval) {
            auto partial = std::make_shared<const report::SpectrumReport>(whole);
            auto landscape = std::make_shared<const report::Landscape>(report::buildLandscape(*partial));
            publish(draw(request, {request, std::move(partial), std::move(landscape)}, false, context));
            lastPublished = now;
        }
    }
    return whole;
}

SpectrumWork::Picture SpectrumWork::refine(const SpectrumRequest& request, const RunContext& context,
                                           const std::function<void(Picture)>& publish)
{
    const auto* known = remembered(request);
    const bool fresh = !known;
    if (fresh)
        known = &remember(request, std::make_shared<const report::SpectrumReport>(compute(request, context, publish)));
    const auto drawn = draw(request, *known, true, context);
    if (static_cast<double>(drawn->budget.before.macs) * kLatencyTokens > kLatencyMacs)
        return drawn;
    if (fresh && publish)
        publish(drawn); // all but the latency
    // A measurement sees a stop only between its products: while a slider moves it would hold up the next picture.
    for (auto waited = std::chrono::milliseconds(0); waited < kLatencyDelay; waited += kLatencyDelay / 12) {
        context.throwIfStopped();
        std::this_thread::sleep_for(kLatencyDelay / 12);
    }
    auto measured = std::make_shared<SpectrumPicture>(*drawn);
    plan::measureLatency(measured->budget, *measured->spectra, *m_latencies, {kLatencyTokens}, context);
    return measured;
}

} // namespace tamis::app
