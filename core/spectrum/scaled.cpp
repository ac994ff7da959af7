// SPDX-License-Identifier: GPL-3.0-or-later
// With D = diag(d) and W D = U S V^T, the pair of rank r is U_r S_r V_r^T D^-1 = U_r U_r^T W: no division by d is needed. U are
// the eigenvectors of W D^2 W^T, so this is the whitened problem with diag(d^2) in the place of C; the loss is then
// measured under C itself.
#include "core/spectrum/scaled.h"

#include "core/base/error.h"
#include "core/linalg/singular_values.h"
#include "core/spectrum/curves.h"
#include "core/spectrum/shared_parameters.h"
#include "core/spectrum/sweep.h"
#include "core/spectrum/whitened_problem.h"
#include "core/tensor/convert.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tamis::spectrum {
namespace {
using tensor::Matrix;
constexpr const char* kId = "spectrum.scaled";
constexpr const char* kWhat = "scaled spectrum";
constexpr double kFloor = 1e-6; // as the authors' code adds

std::vector<ParameterSpec> scaledParameters()
{
    return {{.name = "scale",
             .title = "Scale of an input",
             .type = ParameterType::Choice,
             .defaultValue = std::string("abs-mean"),
             .help = "Mean |x| (ASVD) or largest |x| over the sample rows, or root mean square over all tokens (the diagonal of C)",
             .choices = {"abs-mean", "abs-max", "rms"}},
            scaleExponentParameter("The scale is raised to it: 0.5 in ASVD, 1 for a diagonal preconditioner, 0 is the plain SVD")};
}

/// d [n]. Throws Error{InvalidParameter} when the site lacks the sample rows that the scale is made from.
std::vector<double> scalesOf(const io::CalibrationSite& site, const Parameters& parameters)
{
    const std::string& kind = parameters.text("scale");
    const auto n = static_cast<std::size_t>(site.gram.rows());
    std::vector<double> scales(n);
    if (kind == "rms") {
        for (std::size_t j = 0; j < n; ++j)
            scales[j] = std::sqrt(std::max(0.0, site.gram(static_cast<std::int64_t>(j), static_cast<std::int64_t>(j))) / static_cast<double>(std::max<std::uint64_t>(site.count, 1)));
    } else {
        if (site.samples.empty())
            throw Error(ErrorCode::InvalidParameter, "has no sample rows, but scale=" + kind + " is made from them", site.name);
        for (std::int64_t t = 0; t < site.samples.rows(); ++t)
            for (std::size_t j = 0; j < n; ++j) {
                const double x = std::abs(static_cast<double>(site.samples(t, static_cast<std::int64_t>(j))));
                scales[j] = kind == "abs-max" ? std::max(scales[j], x) : scales[j] + x / static_cast<double>(site.samples.rows());
            }
    }
    for (double& d : scales)
        d = std::pow(d, parameters.real("alpha")) + kFloor;
    return scales;
}

/// diag(d^2) where the whitened problem has C.
Statistics scaledStatistics(const io::CalibrationSite& site, const Parameters& parameters)
{
    const std::vector<double> scales = scalesOf(site, parameters);
    Statistics statistics;
    statistics.tokens = site.count;
    statistics.c = Matrix<double>(static_cast<std::int64_t>(scales.size()), static_cast<std::int64_t>(scales.size()));
    for (std::size_t j = 0; j < scales.size(); ++j)
        statistics.c(static_cast<std::int64_t>(j), static_cast<std::int64_t>(j)) = scales[j] * scales[j];
    return statistics;
}

void analyse(const Inputs& inputs, const io::MatrixRef& matrix, const Parameters& parameters, report::MatrixSpectrum& entry, const RunContext& context)
{
    Matrix<double> w = inputs.checkpoint->readMatrixDouble(matrix);
    if (reportNonFinite(entry, tensor::countNonFinite(std::span<const double>(w.values()))))
        return;
    if (std::string reason = whyNoSite(*inputs.calibration, matrix, kWhat); !reason.empty()) {
        entry.warnings.push_back(std::move(reason));
        return;
    }
    io::CalibrationSite site;
    Statistics statistics;
    try {
        site = inputs.calibration->read(matrix.name);
        statistics = scaledStatistics(site, parameters);
    } catch (const Error& error) {
        if (error.code() != ErrorCode::NonFinite && error.code() != ErrorCode::MalformedFile && error.code() != ErrorCode::InvalidParameter)
            throw;
        entry.warnings.push_back(std::string("The calibration site cannot be used: ") + error.what());
        return;
    }
    entry.tokens = statistics.tokens;
    entry.sampleTokens = static_cast<std::uint64_t>(site.samples.rows());
    entry.heldOutTokens = static_cast<std::uint64_t>(site.heldOut.rows());
    const WhitenedSolution solution = solveWhitened(std::move(w), statistics, Form::Output, false, context);
    entry.singularValues = linalg::resolvedRoots(solution.squares);
    entry.loss = tailSums(keptBy(solution.vectors, solution.reduced, site.gram, context));
    entry.baselineLoss = plainLoss(solution.reduced, site.gram, context);
    deriveFigures(entry, std::accumulate(solution.squares.rbegin(), solution.squares.rend(), 0.0));
    const auto measure = [&](const Matrix<float>& rows) { return tailSums(measuredTerms(solution.reduced, solution.vectors.view(), rows.view(), context)); };
    if (!site.samples.empty())
        entry.sampleLoss = measure(site.samples);
    if (!site.heldOut.empty())
        entry.heldOutLoss = measure(site.heldOut);
}

report::SpectrumReport run(const Inputs& inputs, const Parameters& given, const RunContext& context)
{
    const Parameters parameters = scaledMethod().declaration.schema.complete(given);
    if (!inputs.calibration)
        throw Error(ErrorCode::InvalidParameter, "needs a calibration set", kId);
    SweepPlan plan{.method = kId, .parameters = parameters};
    plan.macs = [&](const io::MatrixRef& m) { return inputs.calibration->features(m.name) ? whitenedMacs(m.rows, m.cols) : 0.0; };
    plan.bytes = [&](const io::MatrixRef& m) {
        return inputs.calibration->features(m.name) == m.cols ? whitenedBytes(m.rows, m.cols) : 8 * static_cast<std::uint64_t>(m.rows) * static_cast<std::uint64_t>(m.cols);
    };
    plan.analyse = [&](const io::MatrixRef& matrix, report::MatrixSpectrum& entry, const RunContext& part) { analyse(inputs, matrix, parameters, entry, part); };
    return sweep(inputs, plan, context);
}

Factors factors(const Inputs& inputs, const std::string& name, std::int64_t rank, const Parameters& given, const RunContext& context)
{
    const Parameters parameters = scaledMethod().declaration.schema.complete(given);
    if (!inputs.checkpoint || !inputs.calibration)
        throw Error(ErrorCode::InvalidParameter, "needs a checkpoint and a calibration set", kId);
    const io::MatrixRef& matrix = findMatrix(*inputs.checkpoint, name);
    checkRank(name, rank, std::min(matrix.rows, matrix.cols));
    if (const std::string reason = whyNoSite(*inputs.calibration, matrix, kWhat); !reason.empty())
        throw Error(ErrorCode::InvalidParameter, reason, name);
    Matrix<double> w = readFinite(*inputs.checkpoint, matrix);
    const Statistics statistics = scaledStatistics(inputs.calibration->read(name), parameters);
    return factorsFrom(solveWhitened(std::move(w), statistics, Form::Output, true, context), matrix.rows, rank, context);
}
} // namespace

Method scaledMethod()
{
    Method method;
    method.declaration = {.id = kId,
                          .lab = "spectrum",
                          .title = "Scaled SVD (ASVD)",
                          .reference = "SVD of W diag(s^alpha): ASVD (2312.05821); alpha = 1 with rms is the diagonal of C as preconditioner",
                          .schema = ParameterSchema(scaledParameters())};
    method.needsCalibration = true;
    method.run = run;
    method.factors = factors;
    return method;
}

} // namespace tamis::spectrum
