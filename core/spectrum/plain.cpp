// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/spectrum/plain.h"

#include "core/base/error.h"
#include "core/linalg/gemm.h"
#include "core/linalg/randomised_svd.h"
#include "core/linalg/singular_values.h"
#include "core/linalg/symmetric_eigen.h"
#include "core/spectrum/curves.h"
#include "core/spectrum/preview.h"
#include "core/spectrum/sweep.h"
#include "core/tensor/convert.h"

#include <algorithm>
#include <cmath>

namespace tamis::spectrum {
namespace {
using linalg::Op;
using linalg::Side;
using tensor::Matrix;
constexpr const char* kId = "spectrum.plain";

/// The leading directions of the smaller side, by the randomised range finder.
linalg::RandomisedEigen previewOf(const Matrix<double>& w, const PreviewSettings& settings, const RunContext& context)
{
    const bool wide = w.rows() <= w.cols();
    const auto apply = [&](linalg::ConstView x) {
        const Matrix<double> inner = linalg::product(wide ? Op::Transpose : Op::None, Op::None, w.view(), x, context);
        return linalg::product(wide ? Op::None : Op::Transpose, Op::None, w.view(), inner.view(), context);
    };
    return linalg::randomisedEigen(std::min(w.rows(), w.cols()), apply, settings.options(), context);
}

void analysePreview(const Matrix<double>& w, const PreviewSettings& settings, report::MatrixSpectrum& entry, const RunContext& context)
{
    const linalg::RandomisedEigen leading = previewOf(w, settings, context);
    const double total = linalg::squaredNorm(w.view());
    fillPreview(entry, leading, leading.values, total, total);
}

template <class T> void analyseExact(const Matrix<T>& w, report::MatrixSpectrum& entry, const RunContext& context)
{
    const std::vector<double> squares = linalg::squaredSingularValues(w.view(), context);
    entry.singularValues = linalg::resolvedRoots(squares);
    entry.loss = tailSums(squares);
    deriveFigures(entry, entry.loss.front());
}

template <class T>
void analyse(const Matrix<T>& w, const PreviewSettings& settings, report::MatrixSpectrum& entry, const RunContext& context)
{
    if (reportNonFinite(entry, tensor::countNonFinite(std::span<const T>(w.values()))))
        return;
    if (!settings.applies(entry.rows, entry.cols))
        analyseExact(w, entry, context);
    else if constexpr (std::is_same_v<T, double>)
        analysePreview(w, settings, entry, context);
    else
        analysePreview(linalg::toDouble(w.view()), settings, entry, context);
}

report::SpectrumReport run(const Inputs& inputs, const Parameters& given, const RunContext& context)
{
    const Parameters parameters = plainMethod().declaration.schema.complete(given);
    const PreviewSettings settings(parameters);
    const auto side = [](const io::MatrixRef& m) { return std::min(m.rows, m.cols); };
    SweepPlan plan{.method = kId, .parameters = parameters};
    plan.macs = [=](const io::MatrixRef& m) {
        const auto p = static_cast<double>(side(m)), q = static_cast<double>(std::max(m.rows, m.cols));
        return settings.applies(m.rows, m.cols) ? p * q * settings.passes() : 0.5 * p * p * q + linalg::symmetricEigenvaluesMacs(side(m));
    };
    plan.bytes = [=](const io::MatrixRef& m) {
        const auto elements = static_cast<std::uint64_t>(m.rows) * static_cast<std::uint64_t>(m.cols);
        return elements * 16 + (settings.applies(m.rows, m.cols) ? settings.bytes(m.rows + m.cols) : linalg::symmetricEigenvaluesBytes(side(m)));
    };
    plan.analyse = [&](const io::MatrixRef& matrix, report::MatrixSpectrum& entry, const RunContext& part) {
        if (needsDouble(*inputs.checkpoint, matrix))
            analyse(inputs.checkpoint->readMatrixDouble(matrix), settings, entry, part);
        else
            analyse(inputs.checkpoint->readMatrix(matrix), settings, entry, part);
    };
    return sweep(inputs, plan, context);
}

Factors factors(const Inputs& inputs, const std::string& name, std::int64_t rank, const Parameters& given, const RunContext& context)
{
    const PreviewSettings settings(plainMethod().declaration.schema.complete(given));
    if (!inputs.checkpoint)
        throw Error(ErrorCode::InvalidParameter, "needs a checkpoint", kId);
    const io::MatrixRef& matrix = findMatrix(*inputs.checkpoint, name);
    const bool wide = matrix.rows <= matrix.cols, preview = settings.applies(matrix.rows, matrix.cols);
    checkRank(name, rank, preview ? settings.rank : std::min(matrix.rows, matrix.cols));
    const Matrix<double> w = readFinite(*inputs.checkpoint, matrix);
    Matrix<double> vectors = preview ? previewOf(w, settings, context).vectors
                                     : linalg::symmetricEigen(linalg::gramUpper(w.view(), wide ? Side::Rows : Side::Columns, context), context).vectors;
    const linalg::ConstView leading{vectors.data(), rank, vectors.cols(), vectors.cols()};
    Factors result{Matrix<double>(matrix.rows, rank), Matrix<double>(rank, matrix.cols)};
    Matrix<double>& kept = wide ? result.b : result.a; // orthonormal side
    for (std::int64_t k = 0; k < rank; ++k)
        for (std::int64_t i = 0; i < vectors.cols(); ++i)
            (wide ? kept(i, k) : kept(k, i)) = vectors(k, i);
    if (rank > 0 && wide)
        linalg::gemm(Op::None, Op::None, 1.0, leading, w.view(), 0.0, result.a.view(), context);
    else if (rank > 0)
        linalg::gemm(Op::None, Op::Transpose, 1.0, w.view(), leading, 0.0, result.b.view(), context);
    return result;
}
} // namespace

Method plainMethod()
{
    Method method;
    method.declaration = {.id = kId,
                          .lab = "spectrum",
                          .title = "Plain SVD",
                          .reference = "Eckart and Young 1936: W_r = U_r U_r^T W; squared loss = sum of the squared singular values left out",
                          .schema = ParameterSchema(previewParameters())};
    method.run = run;
    method.factors = factors;
    return method;
}

} // namespace tamis::spectrum
