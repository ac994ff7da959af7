// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/saes_report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace tamis::lowrank {
namespace {
constexpr double kMostValid = 1.0; // beta |D|_2 over the gap: beyond it the leading subspace may turn altogether

std::string inWords(double value)
{
    char text[32];
    std::snprintf(text, sizeof text, "%.3g", value);
    return text;
}

void addPoint(report::Series& series, double x, double y)
{
    if (std::isfinite(y))
        series.points.push_back({x, y});
}

/// Series without points say nothing.
void keepFilled(report::MethodFigure& figure)
{
    std::erase_if(figure.series, [](const report::Series& series) { return series.points.empty(); });
}
} // namespace

bool MatrixRecord::beyondGap() const { return adaptive && validity() > kMostValid; }

std::vector<std::string> MatrixRecord::warnings() const
{
    if (!beyondGap())
        return {};
    return {"beta |D|_2 is " + inWords(validity()) + " times the gap between the singular values at the rank: rho(beta), from which an adaptive beta is chosen, is a "
            "first-order estimate that need not hold here."};
}

report::MethodFigure SaesRecord::errorByDepth(bool reference) const
{
    report::MethodFigure figure{"error-by-depth", "Error growth by depth", "block", "relative error of the hidden state", false, true, {}};
    report::Series own{.name = "sequential", .points = {}, .group = 0}, ownHeldOut{.name = "sequential, held out", .points = {}, .dashed = true, .group = 0};
    report::Series local{.name = "whitened, not sequential", .points = {}, .group = 1}, localHeldOut{.name = "whitened, not sequential, held out", .points = {}, .dashed = true, .group = 1};
    for (const BlockErrors& each : m_blocks) {
        addPoint(own, each.block, each.errors.compressed.calibration);
        addPoint(ownHeldOut, each.block, each.errors.compressed.heldOut);
        if (reference) {
            addPoint(local, each.block, each.errors.reference.calibration);
            addPoint(localHeldOut, each.block, each.errors.reference.heldOut);
        }
    }
    figure.series = {std::move(own), std::move(ownHeldOut), std::move(local), std::move(localHeldOut)};
    keepFilled(figure);
    return figure;
}

report::MethodFigure SaesRecord::losses() const
{
    report::MethodFigure figure{"cumulative-loss", "Distance to the dense model's outputs", "matrix, in execution order", "|M X - W Xf|^2 / |W Xf|^2", false, true, {}};
    report::Series calibration{.name = "calibration", .points = {}, .group = 0}, heldOut{.name = "held out", .points = {}, .dashed = true, .group = 0};
    for (std::size_t i = 0; i < m_matrices.size(); ++i) {
        addPoint(calibration, static_cast<double>(i), m_matrices[i].calibration);
        addPoint(heldOut, static_cast<double>(i), m_matrices[i].heldOut);
    }
    figure.series = {std::move(calibration), std::move(heldOut)};
    keepFilled(figure);
    return figure;
}

report::MethodFigure SaesRecord::betas() const
{
    report::MethodFigure figure{"beta", "Beta of each matrix", "matrix, in execution order", "beta", false, false, {}};
    report::Series series{.name = "beta", .points = {}};
    for (std::size_t i = 0; i < m_matrices.size(); ++i)
        addPoint(series, static_cast<double>(i), m_matrices[i].beta);
    figure.series.push_back(std::move(series));
    return figure;
}

report::MethodFigure SaesRecord::validities() const
{
    report::MethodFigure figure{"validity", "Validity of the adaptive criterion", "matrix, in execution order", "beta |D|_2 / (s_r - s_r+1)", false, true, {}};
    report::Series series{.name = "tau", .points = {}}, limit{.name = "first order holds below", .points = {}, .baseline = true};
    for (std::size_t i = 0; i < m_matrices.size(); ++i) {
        addPoint(series, static_cast<double>(i), m_matrices[i].validity() > 0 ? m_matrices[i].validity() : report::kNotMeasured); // no drift: not on a log axis
        addPoint(limit, static_cast<double>(i), kMostValid);
    }
    figure.series = {std::move(series), std::move(limit)};
    keepFilled(figure);
    return figure;
}

void SaesRecord::addCurves(report::LowRankReport& report) const
{
    constexpr int kSteps = 50;
    for (const BlockErrors& each : m_blocks) {
        report::MethodFigure figure{"rho-" + std::to_string(each.block), "Block " + std::to_string(each.block) + ": share of the target that truncation loses", "beta", "rho", false, false, {}};
        for (const MatrixRecord& matrix : m_matrices)
            if (matrix.layer == each.block && matrix.curve.normD > 0) { // constant without drift
                report::Series series{.name = matrix.name, .points = {}};
                for (int i = 0; i <= kSteps; ++i)
                    addPoint(series, static_cast<double>(i) / kSteps, matrix.curve.value(static_cast<double>(i) / kSteps));
                figure.series.push_back(std::move(series));
            }
        if (!figure.series.empty())
            report.figures.push_back(std::move(figure));
    }
}

void SaesRecord::fill(report::LowRankReport& report, bool reference) const
{
    report.figures.push_back(errorByDepth(reference));
    report.figures.push_back(losses());
    report.figures.push_back(betas());
    report.figures.push_back(validities());
    addCurves(report);
    for (const MatrixRecord& matrix : m_matrices) {
        report.scalars.emplace_back("beta of " + matrix.name, matrix.beta);
        report.scalars.emplace_back("tau of " + matrix.name, matrix.validity());
    }
    if (!m_blocks.empty()) {
        const auto& last = m_blocks.back().errors;
        report.scalars.emplace_back("relative error after the last block", last.compressed.calibration);
        report.scalars.emplace_back("relative error after the last block, held out", last.compressed.heldOut);
        if (reference) {
            report.scalars.emplace_back("relative error after the last block, not sequential", last.reference.calibration);
            report.scalars.emplace_back("relative error after the last block, not sequential, held out", last.reference.heldOut);
        }
    }
    if (const auto beyond = std::ranges::count_if(m_matrices, &MatrixRecord::beyondGap); beyond > 0)
        report.warnings.push_back(std::to_string(beyond) + " of " + std::to_string(m_matrices.size()) +
                                  " matrices lie beyond the validity gap of the adaptive beta: there rho(beta) is no more than a hint.");
}

} // namespace tamis::lowrank
