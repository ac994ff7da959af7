// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/decomposition.h"

#include "core/base/error.h"
#include "core/base/memory_estimate.h"
#include "core/linalg/gemm.h"
#include "core/linalg/qr.h"
#include "core/linalg/symmetric_eigen.h"
#include "core/linalg/whitening.h"
#include "core/lowrank/decomposition_cache.h"
#include "core/tensor/convert.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace tamis::lowrank {
namespace {
using linalg::Op;
using linalg::Side;
using tensor::Matrix;
constexpr double kTieBreak = 1e-12; // of the mean diagonal: orders what the calibration does not see, moves nothing that it does

/// result[r] = terms[r] + terms[r + 1] + ..., summed from the small end.
std::vector<double> tails(const std::vector<double>& terms)
{
    std::vector<double> sums(terms.size() + 1, 0.0);
    for (std::size_t i = terms.size(); i-- > 0;)
        sums[i] = sums[i + 1] + std::max(0.0, terms[i]);
    return sums;
}

std::vector<double> rowDots(const Matrix<double>& a, const Matrix<double>& b)
{
    std::vector<double> dots;
    for (std::int64_t i = 0; i < a.rows(); ++i)
        dots.push_back(std::inner_product(a.view().row(i).begin(), a.view().row(i).end(), b.view().row(i).begin(), 0.0));
    return dots;
}

/// Loss at every rank when the rows of `left` are not orthonormal: sum over i, j >= r of (left left^T)_ij (image)_ij.
std::vector<double> obliqueTails(const Matrix<double>& left, const Matrix<double>& image, const RunContext& context)
{
    const Matrix<double> overlap = linalg::gram(left.view(), Side::Rows, context);
    const std::int64_t p = left.rows();
    std::vector<double> sums(static_cast<std::size_t>(p) + 1, 0.0);
    for (std::int64_t i = p; i-- > 0;) {
        double row = overlap(i, i) * image(i, i);
        for (std::int64_t j = i + 1; j < p; ++j)
            row += 2 * overlap(i, j) * image(i, j);
        sums[static_cast<std::size_t>(i)] = std::max(0.0, sums[static_cast<std::size_t>(i) + 1] + row);
    }
    return sums;
}

void requireFits(const Matrix<double>& w, const io::CalibrationSite& site)
{
    if (const auto count = tensor::countNonFinite(std::span<const double>(w.values())); count.total() > 0)
        throw Error(ErrorCode::NonFinite, "has " + std::to_string(count.nan) + " NaN and " + std::to_string(count.infinite) + " infinite weights, so it cannot be factored", site.name);
    if (w.cols() != site.gram.rows())
        throw Error(ErrorCode::InvalidParameter, "found statistics of " + std::to_string(site.gram.rows()) + " inputs, expected " + std::to_string(w.cols()), site.name);
    if (w.rows() == 0 || w.cols() == 0)
        throw Error(ErrorCode::InvalidParameter, "is empty, so it cannot be factored", site.name);
}

/// Eigenvectors of the preconditioned Gram matrix, with ties ordered by the weight's own energy.
linalg::SymmetricEigen directions(const Matrix<double>& reduced, const io::CalibrationSite& site, Decomposition& result, const RunContext& context)
{
    Matrix<double> k = preconditionedGram(reduced, site, result.settings, result.warnings, context.part(3, "preconditioner"));
    linalg::SymmetricEigen eigen = linalg::symmetricEigen(k, context.part(5, "eigenvectors"));
    const auto p = static_cast<double>(reduced.rows());
    if (eigen.values.back() > p * std::numeric_limits<double>::epsilon() * eigen.values.front())
        return eigen;
    const double scale = kTieBreak * linalg::meanDiagonal(k);
    const Matrix<double> energy = linalg::gramUpper(reduced.view(), Side::Rows, context);
    const double own = linalg::meanDiagonal(energy);
    for (std::size_t i = 0; own > 0 && i < k.size(); ++i)
        k.data()[i] += scale / own * energy.data()[i];
    return linalg::symmetricEigen(std::move(k), context.part(5, "eigenvectors"));
}

/// Losses at every rank, calibration and held-out, and the least possible of `reduced` (W, or R of W = Q R).
void fillLosses(const Matrix<double>& reduced, const io::CalibrationSite& site, bool oblique, Decomposition& result, const RunContext& context)
{
    const Matrix<double> seen = linalg::product(result.right.view(), site.gram.view(), context);
    if (oblique)
        result.loss = obliqueTails(result.left, linalg::product(Op::None, Op::Transpose, seen.view(), result.right.view(), context), context);
    else
        result.loss = tails(rowDots(seen, result.right));
    if (!site.heldOut.empty()) {
        const Matrix<double> rows = linalg::toDouble(site.heldOut.view());
        const Matrix<double> image = linalg::product(Op::None, Op::Transpose, result.right.view(), rows.view(), context); // [p, t]
        result.heldOut = oblique ? obliqueTails(result.left, linalg::gram(image.view(), Side::Rows, context), context) : tails(rowDots(image, image));
    }
    if (isOptimal(result.settings.preconditioner) && result.settings.ridge == 0) {
        result.minimum = result.loss;
        return;
    }
    const Matrix<double> own = reduced.rows() > reduced.cols() ? linalg::thinQrTriangle(reduced.view(), context) : Matrix<double>();
    const linalg::ConstView w = own.empty() ? reduced.view() : own.view();
    const Matrix<double> image = linalg::product(w, site.gram.view(), context);
    result.minimum = tails(linalg::symmetricEigenvalues(linalg::product(Op::None, Op::Transpose, image.view(), w, context), context));
}
} // namespace

std::uint64_t Decomposition::bytes() const noexcept
{
    return sizeof(double) * (left.size() + right.size() + singular.size() + loss.size() + heldOut.size() + minimum.size());
}

Factors factorsOf(const Decomposition& d, std::int64_t rank)
{
    if (rank < 0 || rank > d.size())
        throw Error(ErrorCode::InvalidParameter, "rank " + std::to_string(rank) + " was asked for, expected 0 to " + std::to_string(d.size()));
    Factors factors{Matrix<double>(d.rows, rank), Matrix<double>(rank, d.cols)};
    std::copy_n(d.right.data(), factors.a.size(), factors.a.data());
    for (std::int64_t i = 0; i < d.rows; ++i)
        for (std::int64_t k = 0; k < rank; ++k)
            factors.b(i, k) = d.left(k, i);
    return factors;
}

Decomposition decompose(const Matrix<double>& w, const io::CalibrationSite& site, const PreconditionerSettings& settings, const RunContext& context)
{
    requireFits(w, site);
    context.setParts(20);
    Decomposition result{.rows = w.rows(), .cols = w.cols(), .tokens = site.count, .settings = settings};
    const std::vector<double> outputs = outputScales(site, settings, w.rows());
    Matrix<double> reduced = w, q;
    for (std::int64_t i = 0; !outputs.empty() && i < w.rows(); ++i)
        for (double& value : reduced.view().row(i))
            value *= outputs[static_cast<std::size_t>(i)];
    if (w.rows() > w.cols()) {
        linalg::ThinQr qr = linalg::thinQr(reduced.view(), context.part(2, "QR"));
        reduced = std::move(qr.r);
        q = std::move(qr.q);
    }
    linalg::SymmetricEigen eigen = directions(reduced, site, result, context);
    for (const double value : eigen.values)
        result.singular.push_back(std::sqrt(std::max(0.0, value)));
    result.right = linalg::product(eigen.vectors.view(), reduced.view(), context);
    result.left = q.empty() ? std::move(eigen.vectors) : linalg::product(Op::None, Op::Transpose, eigen.vectors.view(), q.view(), context);
    for (std::int64_t k = 0; !outputs.empty() && k < result.left.rows(); ++k)
        for (std::int64_t i = 0; i < result.left.cols(); ++i)
            result.left(k, i) /= outputs[static_cast<std::size_t>(i)];
    fillLosses(outputs.empty() ? reduced : w, site, !outputs.empty(), result, context.part(5, "losses"));
    if (isOptimal(settings.preconditioner) && settings.ridge == 0 && site.count < static_cast<std::uint64_t>(w.cols()))
        result.warnings.push_back("The calibration has " + std::to_string(site.count) + " tokens for " + std::to_string(w.cols()) +
                                  " inputs: the loss ignores directions that none of them shows. A ridge of 1e-4 to 1e-2 is recommended.");
    context.finish();
    return result;
}

std::shared_ptr<const Decomposition> decompositionOf(const Inputs& inputs, const io::MatrixRef& matrix, const PreconditionerSettings& settings, const RunContext& context)
{
    if (!inputs.calibration)
        throw Error(ErrorCode::InvalidParameter, "needs a calibration set, found none", matrix.name);
    if (!inputs.calibration->features(matrix.name))
        throw Error(ErrorCode::InvalidParameter, "has no site " + matrix.name, inputs.calibration->path().string());
    const std::string key = cacheKey({"decomposition", inputs.checkpoint->sha256(context), matrix.name, inputs.calibration->sha256(context), settings.key()});
    return sharedCache().get<Decomposition>(key, [&] {
        const auto m = static_cast<std::uint64_t>(matrix.rows), n = static_cast<std::uint64_t>(matrix.cols), p = std::min(m, n);
        requireMemory(8 * (4 * m * n + 3 * n * n) + linalg::symmetricEigenBytes(static_cast<std::int64_t>(p)), matrix.name);
        return decompose(inputs.checkpoint->readMatrixDouble(matrix), inputs.calibration->read(matrix.name), settings, context);
    }, context);
}

} // namespace tamis::lowrank
