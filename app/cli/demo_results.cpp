// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/demo_results.h"

#include "core/base/error.h"
#include "core/plan/latency.h"
#include "core/plan/model_cost.h"

#include <algorithm>
#include <map>

namespace tamis::cli {
namespace {
constexpr std::int64_t kTokens = 257; // of one picture of vit20

const spectrum::Method& named(const char* id)
{
    if (const auto* method = spectrum::findMethod(id))
        return *method;
    throw Error(ErrorCode::UnsupportedFeature, "this build has no such method", id);
}

Parameters parametersOf(const spectrum::Method& method, std::int64_t seed)
{
    Parameters parameters = method.declaration.schema.defaults();
    if (method.declaration.schema.find("seed"))
        parameters.set("seed", seed);
    return method.declaration.schema.complete(parameters);
}

plan::BudgetRequest requestAt(double keep, plan::Allocation allocation)
{
    plan::BudgetRequest request;
    request.keep = keep;
    request.allocation = allocation;
    return request;
}

/// Two axes of settings into one line for captions.
std::string settings(const report::SpectrumReport& report)
{
    std::string text = report.method;
    for (const auto& [name, value] : report.parameters.all())
        text += ", " + name + " " + toText(value);
    return "vit20; " + text;
}

std::vector<report::Point> pointsFrom(const std::vector<double>& values, double first, double scale)
{
    std::vector<report::Point> points;
    for (std::size_t i = 0; i < values.size(); ++i)
        points.push_back({first + static_cast<double>(i), values[i] * scale});
    return points;
}

/// Compressible matrices of the blocks by role, in order of the report.
std::map<std::string, std::vector<const report::MatrixSpectrum*>> byRole(const report::SpectrumReport& report)
{
    std::map<std::string, std::vector<const report::MatrixSpectrum*>> roles;
    for (const auto& matrix : report.matrices)
        if (matrix.layer >= 0 && matrix.compressible && !matrix.loss.empty())
            roles[matrix.role].push_back(&matrix);
    return roles;
}

void addSpectra(std::vector<DemoChart>& charts, const report::SpectrumReport& report, const std::string& what)
{
    for (const auto& [role, matrices] : byRole(report)) {
        DemoChart chart{"spectra-" + what + "-" + role, "Singular values, role " + role + ", " + what, settings(report), "index",
                        "singular value", true, true, {}};
        for (const auto* matrix : matrices)
            chart.series.push_back({"L" + std::to_string(matrix->layer), pointsFrom(matrix->singularValues, 1, 1)});
        charts.push_back(std::move(chart));
    }
}

void addLosses(std::vector<DemoChart>& charts, const report::SpectrumReport& report)
{
    for (const auto& [role, matrices] : byRole(report)) {
        DemoChart chart{"loss-" + role, "Loss against rank, role " + role + ": calibrated (solid) and held out (dashed)",
                        settings(report), "rank", "relative loss", false, true, {}};
        int group = 0;
        for (const auto* matrix : matrices) {
            const auto add = [&](const std::vector<double>& loss, const char* suffix, bool dashed) {
                if (!loss.empty() && loss.front() > 0)
                    chart.series.push_back({"L" + std::to_string(matrix->layer) + suffix, pointsFrom(loss, 0, 1 / loss.front()),
                                            false, dashed, group});
            };
            add(matrix->loss, "", false);
            add(matrix->heldOutLoss, " held out", true);
            ++group;
        }
        charts.push_back(std::move(chart));
    }
}

DemoChart sweepChart(const DemoResults& results, RelativeLoss SweepLoss::* measure, bool heldOut)
{
    const bool total = measure == &SweepLoss::total;
    const std::string what = total ? "Loss of all matrices together" : "Mean relative loss of the matrices";
    DemoChart chart{std::string(total ? "keep-total" : "keep-mean") + (heldOut ? "-held-out" : ""),
                    what + " against keep, " + (heldOut ? "held-out rows" : "calibration tokens"),
                    settings(results.whitened) + "; accounting factors; baseline: plain SVD at the ranks of uniform", "keep",
                    total ? "total loss over total energy" : "mean relative loss", false, true, {}};
    const auto add = [&](const char* name, SweepLoss SweepPoint::* which, bool dashed) {
        report::Series series{name, {}, false, dashed};
        for (const auto& point : results.sweep) {
            const RelativeLoss& loss = (point.*which).*measure;
            series.points.push_back({point.keep, heldOut ? loss.heldOut : loss.calibrated});
        }
        chart.series.push_back(std::move(series));
    };
    add("uniform", &SweepPoint::uniform, false);
    add("energy", &SweepPoint::energy, false);
    add("greedy", &SweepPoint::greedy, false);
    add("plain SVD, uniform", &SweepPoint::plainUniform, true);
    return chart;
}

DemoChart rankChart(const DemoResults& results)
{
    DemoChart chart{"ranks", "Rank of every matrix at keep 0.6", settings(results.whitened) + "; keep 0.6, accounting factors",
                    "matrix, in the order of the report's table", "rank", false, false, {}};
    for (const auto* budget : {&results.uniform, &results.energy, &results.greedy}) {
        report::Series series{budget->allocation, {}};
        for (std::size_t i = 0; i < budget->matrices.size(); ++i)
            if (results.whitened.matrices[i].compressible)
                series.points.push_back({static_cast<double>(series.points.size() + 1), static_cast<double>(budget->matrices[i].rank)});
        chart.series.push_back(std::move(series));
    }
    return chart;
}

class Demonstration {
public:
    Demonstration(const spectrum::Inputs& inputs, DemoResults& results)
        : m_inputs(inputs), m_results(results), m_total(plan::modelCost(*inputs.checkpoint))
    {
    }
    report::BudgetReport allocated(double keep, plan::Allocation allocation, const RunContext& context) const
    {
        return plan::allocate(m_results.whitened, m_total, requestAt(keep, allocation), context);
    }
    void sweep(const RunContext& context)
    {
        constexpr int kSteps = 9; // keep 0.1 .. 0.9
        context.setParts(kSteps);
        for (int step = 1; step <= kSteps; ++step) {
            const auto part = context.part(1, "keep 0." + std::to_string(step));
            SweepPoint point;
            point.keep = step / 10.0;
            const auto uniform = allocated(point.keep, plan::Allocation::Uniform, part.part(1, "uniform"));
            point.uniform = both(lossesOf(uniform));
            point.energy = both(lossesOf(allocated(point.keep, plan::Allocation::Energy, part.part(1, "energy"))));
            point.greedy = both(lossesOf(allocated(point.keep, plan::Allocation::Greedy, part.part(1, "greedy"))));
            point.plainUniform = both(plainLosses(m_inputs, m_results.whitened, uniform, part.part(7, "plain SVD")));
            m_results.sweep.push_back(point);
            part.finish();
        }
    }
    void budgets(const RunContext& context)
    {
        context.setParts(10);
        m_results.uniform = allocated(kDemoKeep, plan::Allocation::Uniform, context.part(1, "uniform"));
        m_results.energy = allocated(kDemoKeep, plan::Allocation::Energy, context.part(1, "energy"));
        m_results.greedy = allocated(kDemoKeep, plan::Allocation::Greedy, context.part(1, "greedy"));
        m_results.plainAtKeep = both(plainLosses(m_inputs, m_results.whitened, m_results.uniform, context.part(3, "plain SVD"))).mean;
        plan::LatencyCache cache;
        plan::measureLatency(m_results.greedy, m_results.whitened, cache, {kTokens}, context.part(4, "measuring latency"));
    }

private:
    SweepLoss both(const std::vector<RelativeLoss>& losses) const
    {
        return {meanLoss(m_results.whitened, losses), totalLoss(m_results.whitened, losses)};
    }
    const spectrum::Inputs& m_inputs;
    DemoResults& m_results;
    report::Cost m_total;
};
} // namespace

DemoResults computeDemo(const spectrum::Inputs& inputs, std::int64_t seed, const std::filesystem::path& exportDirectory,
                        const RunContext& context)
{
    context.setParts(10.1);
    DemoResults results;
    const auto& plain = named("spectrum.plain");
    const auto& whitened = named("spectrum.whitened");
    results.plain = plain.run(inputs, parametersOf(plain, seed), context.part(1, "spectra, plain"));
    results.whitened = whitened.run(inputs, parametersOf(whitened, seed), context.part(2, "spectra, whitened"));
    Demonstration demonstration(inputs, results);
    demonstration.sweep(context.part(4, "allocations and the plain baseline"));
    demonstration.budgets(context.part(1, "budget and latency"));
    results.plan = plan::makePlan(inputs, results.whitened, results.greedy, requestAt(kDemoKeep, plan::Allocation::Greedy),
                                   context.part(0.1, "hashing"));
    results.exported = plan::exportPlan(results.plan, inputs.checkpoint, inputs.calibration, exportDirectory, {},
                                        context.part(2, "exporting and verifying"));
    return results;
}

std::vector<DemoChart> demoCharts(const DemoResults& results)
{
    std::vector<DemoChart> charts;
    addSpectra(charts, results.plain, "plain");
    addSpectra(charts, results.whitened, "whitened");
    addLosses(charts, results.whitened);
    for (const auto measure : {&SweepLoss::mean, &SweepLoss::total})
        for (const bool heldOut : {false, true})
            charts.push_back(sweepChart(results, measure, heldOut));
    charts.push_back(rankChart(results));
    return charts;
}

} // namespace tamis::cli
