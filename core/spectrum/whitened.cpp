// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/spectrum/whitened.h"

#include "core/base/error.h"
#include "core/linalg/gemm.h"
#include "core/linalg/singular_values.h"
#include "core/linalg/symmetric_eigen.h"
#include "core/spectrum/curves.h"
#include "core/spectrum/preview.h"
#include "core/spectrum/shared_parameters.h"
#include "core/spectrum/sweep.h"
#include "core/spectrum/whitened_problem.h"
#include "core/tensor/convert.h"

#include <algorithm>
#include <numeric>

namespace tamis::spectrum {
namespace {
using linalg::Op;
using tensor::Matrix;
constexpr const char* kId = "spectrum.whitened";

std::vector<ParameterSpec> whitenedParameters()
{
    std::vector<ParameterSpec> specs{
        ridgeParameter(),
        {.name = "form",
         .title = "Form",
         .type = ParameterType::Choice,
         .defaultValue = std::string("auto"),
         .help = "Same optimum by three routes: eigenvectors of W C W^T (auto, output), W L (cholesky), W Q sqrt(Lambda) (eigen)",
         .choices = {"auto", "output", "cholesky", "eigen"}},
        {.name = "statistics",
         .title = "Statistics",
         .type = ParameterType::Choice,
         .defaultValue = std::string("gram"),
         .help = "C from all calibration tokens (gram), or from the sample rows in the file alone (samples)",
         .choices = {"gram", "samples"}},
        {.name = "baseline",
         .title = "Plain SVD beside it",
         .type = ParameterType::Boolean,
         .defaultValue = true,
         .help = "Also measures what the factors of the plain SVD lose under the same calibration"}};
    for (ParameterSpec& spec : previewParameters())
        specs.push_back(std::move(spec));
    return specs;
}

/// Leading eigenpairs of W (C + added I) W^T without forming it.
linalg::RandomisedEigen previewOf(const Matrix<double>& w, const Statistics& statistics, const PreviewSettings& settings, const RunContext& context)
{
    const auto apply = [&](linalg::ConstView x) {
        const Matrix<double> inner = linalg::product(Op::Transpose, Op::None, w.view(), x, context);
        Matrix<double> seen = linalg::product(statistics.c.view(), inner.view(), context);
        for (std::size_t i = 0; i < seen.size(); ++i)
            seen.data()[i] += statistics.added * inner.data()[i];
        return linalg::product(w.view(), seen.view(), context);
    };
    return linalg::randomisedEigen(w.rows(), apply, settings.options(), context);
}

void analysePreview(const Matrix<double>& w, const io::CalibrationSite& site, const Statistics& statistics, const PreviewSettings& settings,
                    report::MatrixSpectrum& entry, const RunContext& context)
{
    const linalg::RandomisedEigen leading = previewOf(w, statistics, settings, context);
    const Matrix<double> seen = linalg::product(w.view(), statistics.c.view(), context);
    const double total = std::inner_product(w.values().begin(), w.values().end(), seen.values().begin(), 0.0);
    fillPreview(entry, leading, keptBy(leading.vectors, w, statistics.c, context), total, total + statistics.added * linalg::squaredNorm(w.view()));
    const auto measure = [&](const Matrix<float>& rows) {
        const Matrix<double> outputs = linalg::product(Op::None, Op::Transpose, w.view(), linalg::toDouble(rows.view()).view(), context);
        return remainders(linalg::squaredNorm(outputs.view()), measuredTerms(w, leading.vectors.view(), rows.view(), context));
    };
    if (!site.samples.empty())
        entry.sampleLoss = measure(site.samples);
    if (!site.heldOut.empty())
        entry.heldOutLoss = measure(site.heldOut);
}

void analyseExact(Matrix<double> w, const io::CalibrationSite& site, const Statistics& statistics, Form form, bool baseline,
                  report::MatrixSpectrum& entry, const RunContext& context)
{
    const WhitenedSolution solution = solveWhitened(std::move(w), statistics, form, false, context);
    entry.singularValues = linalg::resolvedRoots(solution.squares);
    entry.loss = tailSums(solution.kept);
    if (baseline)
        entry.baselineLoss = plainLoss(solution.reduced, statistics.c, context);
    deriveFigures(entry, std::accumulate(solution.squares.rbegin(), solution.squares.rend(), 0.0));
    const auto measure = [&](const Matrix<float>& rows) {
        return tailSums(measuredTerms(solution.reduced, solution.vectors.view(), rows.view(), context));
    };
    if (!site.samples.empty())
        entry.sampleLoss = measure(site.samples);
    if (!site.heldOut.empty())
        entry.heldOutLoss = measure(site.heldOut);
    entry.warnings.insert(entry.warnings.end(), solution.warnings.begin(), solution.warnings.end());
}

void analyse(const Inputs& inputs, const io::MatrixRef& matrix, const WhitenedSettings& settings, const PreviewSettings& preview,
             report::MatrixSpectrum& entry, const RunContext& context)
{
    Matrix<double> w = inputs.checkpoint->readMatrixDouble(matrix);
    if (reportNonFinite(entry, tensor::countNonFinite(std::span<const double>(w.values()))))
        return;
    if (std::string reason = whyNoSite(*inputs.calibration, matrix, "whitened spectrum"); !reason.empty()) {
        entry.warnings.push_back(std::move(reason));
        return;
    }
    io::CalibrationSite site;
    try {
        site = inputs.calibration->read(matrix.name);
    } catch (const Error& error) {
        if (error.code() != ErrorCode::NonFinite && error.code() != ErrorCode::MalformedFile)
            throw;
        entry.warnings.push_back(std::string("The calibration site cannot be used: ") + error.what());
        return;
    }
    if (settings.source == StatisticsSource::Samples && site.samples.empty()) {
        entry.warnings.push_back("The calibration site has no sample rows: no spectrum with statistics=samples.");
        return;
    }
    const bool exact = !preview.applies(matrix.rows, matrix.cols);
    const Statistics statistics = makeStatistics(site, settings, exact, context.part(0.2, matrix.name));
    entry.tokens = statistics.tokens;
    entry.sampleTokens = static_cast<std::uint64_t>(site.samples.rows());
    entry.heldOutTokens = static_cast<std::uint64_t>(site.heldOut.rows());
    entry.ridge = statistics.ridge;
    entry.calibrationRank = statistics.condition.rank;
    entry.calibrationCondition = statistics.condition.condition;
    entry.warnings = statistics.warnings;
    site.gram = {}; // lives on in the statistics
    const RunContext solving = context.part(0.8, matrix.name);
    if (exact)
        analyseExact(std::move(w), site, statistics, settings.form, settings.baseline, entry, solving);
    else
        analysePreview(w, site, statistics, preview, entry, solving);
}

report::SpectrumReport run(const Inputs& inputs, const Parameters& given, const RunContext& context)
{
    const Parameters parameters = whitenedMethod().declaration.schema.complete(given);
    if (!inputs.calibration)
        throw Error(ErrorCode::InvalidParameter, "needs a calibration set", kId);
    const WhitenedSettings settings(parameters);
    const PreviewSettings preview(parameters);
    SweepPlan plan{.method = kId, .parameters = parameters};
    plan.macs = [&](const io::MatrixRef& m) { return inputs.calibration->features(m.name) ? whitenedMacs(m.rows, m.cols) : 0.0; };
    plan.bytes = [&](const io::MatrixRef& m) {
        return inputs.calibration->features(m.name) == m.cols
                   ? whitenedBytes(m.rows, m.cols)
                   : 8 * static_cast<std::uint64_t>(m.rows) * static_cast<std::uint64_t>(m.cols);
    };
    plan.analyse = [&](const io::MatrixRef& matrix, report::MatrixSpectrum& entry, const RunContext& part) {
        analyse(inputs, matrix, settings, preview, entry, part);
    };
    return sweep(inputs, plan, context);
}

Factors factors(const Inputs& inputs, const std::string& name, std::int64_t rank, const Parameters& given, const RunContext& context)
{
    const Parameters parameters = whitenedMethod().declaration.schema.complete(given);
    if (!inputs.checkpoint || !inputs.calibration)
        throw Error(ErrorCode::InvalidParameter, "needs a checkpoint and a calibration set", kId);
    const WhitenedSettings settings(parameters);
    const PreviewSettings preview(parameters);
    const io::MatrixRef& matrix = findMatrix(*inputs.checkpoint, name);
    const bool approximate = preview.applies(matrix.rows, matrix.cols);
    checkRank(name, rank, approximate ? preview.rank : std::min(matrix.rows, matrix.cols));
    if (const std::string reason = whyNoSite(*inputs.calibration, matrix, "whitened spectrum"); !reason.empty())
        throw Error(ErrorCode::InvalidParameter, reason, name);
    Matrix<double> w = readFinite(*inputs.checkpoint, matrix);
    const Statistics statistics = makeStatistics(inputs.calibration->read(name), settings, !approximate, context.part(0.2, name));
    const RunContext solving = context.part(0.8, name);
    if (!approximate)
        return factorsFrom(solveWhitened(std::move(w), statistics, settings.form, true, solving), matrix.rows, rank, solving);
    WhitenedSolution solution;
    solution.vectors = previewOf(w, statistics, preview, solving).vectors;
    solution.reduced = std::move(w);
    return factorsFrom(solution, matrix.rows, rank, solving);
}
} // namespace

Method whitenedMethod()
{
    Method method;
    method.declaration = {.id = kId,
                          .lab = "spectrum",
                          .title = "Whitened SVD",
                          .reference = "Optimal pair under |(W - BA) X|: SVD-LLM (2403.07378), SVD-LLM v2 (2503.12340), output PCA as in Swift-SVD (2604.01609)",
                          .schema = ParameterSchema(whitenedParameters())};
    method.needsCalibration = true;
    method.run = run;
    method.factors = factors;
    return method;
}

} // namespace tamis::spectrum
