// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/preconditioner.h"

#include "core/base/error.h"
#include "core/linalg/gemm.h"
#include "core/linalg/symmetric_eigen.h"
#include "core/linalg/whitening.h"
#include "core/spectrum/shared_parameters.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

namespace tamis::lowrank {
namespace {
using linalg::Op;
using linalg::Side;
using tensor::Matrix;
using P = Preconditioner;
constexpr double kFloor = 1e-6; // as ASVD's code adds to its scales

struct Named {
    Preconditioner preconditioner;
    std::string_view name, title;
};
constexpr std::array<Named, 12> kNames{{
    {P::OutputPca, "output-pca", "Output PCA (Swift-SVD)"},
    {P::RootCovariance, "root-covariance", "Root covariance (LatentLLM)"},
    {P::Cholesky, "cholesky", "Cholesky (SVD-LLM)"},
    {P::Eigen, "eigen", "Eigen, two steps (SVD-LLM v2)"},
    {P::Identity, "identity", "Identity (plain SVD)"},
    {P::AbsMean, "abs-mean", "Mean |x| (ASVD)"},
    {P::AbsMax, "abs-max", "Largest |x| (ASVD)"},
    {P::Fisher, "fisher", "Fisher (ASVD)"},
    {P::FisherAbsMean, "fisher-abs-mean", "Fisher and mean |x| (ASVD)"},
    {P::DiagonalHessian, "diagonal-hessian", "Diagonal Hessian"},
    {P::DiagonalL1, "diagonal-l1", "Diagonal, l1"},
    {P::DiagonalL2, "diagonal-l2", "Diagonal, l2"},
}};

const Named& entryOf(Preconditioner preconditioner)
{
    return *std::ranges::find(kNames, preconditioner, &Named::preconditioner);
}

bool usesAlpha(Preconditioner p) { return p == P::AbsMean || p == P::AbsMax || p == P::Fisher || p == P::FisherAbsMean; }
bool usesRidge(Preconditioner p) { return isOptimal(p) || p == P::DiagonalHessian; }

/// Mean or largest |x_j| of the sample rows.
std::vector<double> magnitudes(const io::CalibrationSite& site, bool largest, std::string_view who)
{
    if (site.samples.empty())
        throw Error(ErrorCode::InvalidParameter, "has no sample rows, but preconditioner=" + std::string(who) + " is made from them", site.name);
    std::vector<double> result(static_cast<std::size_t>(site.samples.cols()));
    for (std::int64_t t = 0; t < site.samples.rows(); ++t)
        for (std::size_t j = 0; j < result.size(); ++j) {
            const double x = std::abs(static_cast<double>(site.samples(t, static_cast<std::int64_t>(j))));
            result[j] = largest ? std::max(result[j], x) : result[j] + x;
        }
    if (!largest)
        for (double& value : result)
            value /= static_cast<double>(site.samples.rows());
    return result;
}

std::vector<double> rootDiagonal(const io::CalibrationSite& site)
{
    std::vector<double> result;
    for (std::int64_t j = 0; j < site.gram.rows(); ++j)
        result.push_back(std::sqrt(std::max(0.0, site.gram(j, j))));
    return result;
}

/// rms g rms x_j: the root of the mean over outputs of E[g_i^2] E[x_j^2].
std::vector<double> fisherScales(const io::CalibrationSite& site, std::string_view who)
{
    if (site.outputGradSq.empty())
        throw Error(ErrorCode::InvalidParameter,
                    "has no mean-squared output gradients, but preconditioner=" + std::string(who) + " is made from them (tamis-cli capture --grad)", site.name);
    const double mean = std::accumulate(site.outputGradSq.begin(), site.outputGradSq.end(), 0.0) / static_cast<double>(site.outputGradSq.size());
    if (!(mean > 0))
        throw Error(ErrorCode::InvalidParameter, "has output gradients that are all zero, so preconditioner=" + std::string(who) + " weighs nothing", site.name);
    std::vector<double> scales = rootDiagonal(site);
    for (double& value : scales)
        value *= std::sqrt(mean / static_cast<double>(std::max<std::uint64_t>(site.count, 1)));
    return scales;
}

/// diag((C + ridge I)^-1)^{-1/2} from the eigen-decomposition; eigenvalues below the rank tolerance count as it.
std::vector<double> hessianScales(const io::CalibrationSite& site, double ridge, const RunContext& context)
{
    const auto eigen = linalg::symmetricEigen(linalg::withRidge(site.gram, ridge * linalg::meanDiagonal(site.gram)), context);
    const std::int64_t n = site.gram.rows();
    std::vector<double> inverse(static_cast<std::size_t>(n), 0.0);
    const double floor = n > 0 ? linalg::kRankTolerance * std::max(eigen.values.front(), 0.0) : 0.0;
    for (std::int64_t k = 0; k < n; ++k) {
        const double value = std::max(eigen.values[static_cast<std::size_t>(k)], floor);
        for (std::int64_t j = 0; value > 0 && j < n; ++j)
            inverse[static_cast<std::size_t>(j)] += eigen.vectors(k, j) * eigen.vectors(k, j) / value;
    }
    for (double& value : inverse)
        value = value > 0 ? 1.0 / std::sqrt(value) : 0.0;
    return inverse;
}

/// S with C + ridge I = S S^T, as the preconditioner says.
Matrix<double> rootOf(Matrix<double> c, Preconditioner preconditioner, std::vector<std::string>& warnings, const RunContext& context)
{
    if (preconditioner == P::Cholesky) {
        if (auto root = linalg::choleskyRoot(c, context.part(1, "Cholesky")))
            return std::move(*root);
        warnings.push_back("Cholesky failed: C with its ridge is not numerically positive definite; the eigen form was used instead. A ridge of 1e-4 or more would help.");
    }
    if (preconditioner != P::RootCovariance)
        return linalg::eigenRoot(std::move(c), context);
    const auto eigen = linalg::symmetricEigen(std::move(c), context);
    Matrix<double> scaled = eigen.vectors; // rows times sqrt(lambda)
    for (std::int64_t k = 0; k < scaled.rows(); ++k)
        for (double& value : scaled.view().row(k))
            value *= std::sqrt(std::max(0.0, eigen.values[static_cast<std::size_t>(k)]));
    return linalg::product(Op::Transpose, Op::None, eigen.vectors.view(), scaled.view(), context);
}
} // namespace

const std::vector<Preconditioner>& preconditioners()
{
    static const std::vector<Preconditioner> all = [] {
        std::vector<Preconditioner> list;
        for (const Named& each : kNames)
            list.push_back(each.preconditioner);
        return list;
    }();
    return all;
}

std::string_view preconditionerName(Preconditioner preconditioner) noexcept { return entryOf(preconditioner).name; }
std::string_view preconditionerTitle(Preconditioner preconditioner) noexcept { return entryOf(preconditioner).title; }

Preconditioner parsePreconditioner(std::string_view name)
{
    const auto found = std::ranges::find(kNames, name, &Named::name);
    if (found == kNames.end())
        throw Error(ErrorCode::InvalidParameter, "there is no preconditioner '" + std::string(name) + "'");
    return found->preconditioner;
}

bool isOptimal(Preconditioner p) noexcept { return p == P::RootCovariance || p == P::Cholesky || p == P::Eigen || p == P::OutputPca; }
bool needsGradients(Preconditioner p) noexcept { return p == P::Fisher || p == P::FisherAbsMean; }
bool needsSampleRows(Preconditioner p) noexcept { return p == P::AbsMean || p == P::AbsMax || p == P::FisherAbsMean || p == P::DiagonalL1; }

PreconditionerSettings PreconditionerSettings::from(const Parameters& complete)
{
    return {parsePreconditioner(complete.text("preconditioner")), complete.real("alpha"), complete.real("ridge")};
}

std::string PreconditionerSettings::key() const
{
    std::string text(preconditionerName(preconditioner));
    if (usesAlpha(preconditioner))
        text += " alpha " + toText(alpha);
    if (usesRidge(preconditioner))
        text += " ridge " + toText(ridge);
    return text;
}

std::vector<ParameterSpec> preconditionerParameters()
{
    std::vector<std::string> names;
    for (const Named& each : kNames)
        names.emplace_back(each.name);
    return {{.name = "preconditioner",
             .title = "Preconditioner",
             .type = ParameterType::Choice,
             .defaultValue = std::string("output-pca"),
             .help = "What W is multiplied by before its SVD: the first four attain the optimum, the others weigh inputs one by one or not at all",
             .choices = std::move(names)},
            spectrum::scaleExponentParameter("The scale of an input is raised to it (abs-mean, abs-max, fisher, fisher-abs-mean)"),
            spectrum::ridgeParameter()};
}

std::vector<double> inputScales(const io::CalibrationSite& site, const PreconditionerSettings& settings, const RunContext& context)
{
    const std::string_view who = preconditionerName(settings.preconditioner);
    std::vector<double> scales;
    switch (settings.preconditioner) {
    case P::DiagonalL1: return magnitudes(site, false, who);
    case P::DiagonalL2: return rootDiagonal(site);
    case P::DiagonalHessian: return hessianScales(site, settings.ridge, context);
    case P::AbsMean: scales = magnitudes(site, false, who); break;
    case P::AbsMax: scales = magnitudes(site, true, who); break;
    case P::Fisher: scales = fisherScales(site, who); break;
    case P::FisherAbsMean: {
        scales = fisherScales(site, who);
        const std::vector<double> means = magnitudes(site, false, who);
        for (std::size_t j = 0; j < scales.size(); ++j)
            scales[j] *= means[j];
        break;
    }
    default: return std::vector<double>(static_cast<std::size_t>(site.gram.rows()), 1.0);
    }
    for (double& value : scales)
        value = std::pow(value, settings.alpha) + kFloor;
    return scales;
}

std::vector<double> outputScales(const io::CalibrationSite& site, const PreconditionerSettings& settings, std::int64_t rows)
{
    if (!needsGradients(settings.preconditioner))
        return {};
    (void)fisherScales(site, preconditionerName(settings.preconditioner)); // throws without usable gradients
    if (static_cast<std::int64_t>(site.outputGradSq.size()) != rows)
        throw Error(ErrorCode::InvalidParameter, "has gradients of " + std::to_string(site.outputGradSq.size()) + " outputs, expected " + std::to_string(rows), site.name);
    std::vector<double> scales;
    for (const double square : site.outputGradSq)
        scales.push_back(std::sqrt(std::max(0.0, square)));
    const double floor = kFloor * std::accumulate(scales.begin(), scales.end(), 0.0) / static_cast<double>(scales.size());
    for (double& value : scales)
        value += floor;
    return scales;
}

Matrix<double> preconditionedGram(const Matrix<double>& a, const io::CalibrationSite& site, const PreconditionerSettings& settings,
                                  std::vector<std::string>& warnings, const RunContext& context)
{
    const double ridge = settings.ridge * linalg::meanDiagonal(site.gram);
    if (settings.preconditioner == P::OutputPca) {
        const Matrix<double> seen = linalg::product(a.view(), site.gram.view(), context);
        Matrix<double> k = linalg::product(Op::None, Op::Transpose, seen.view(), a.view(), context);
        if (ridge > 0) {
            const Matrix<double> energy = linalg::gramUpper(a.view(), Side::Rows, context);
            for (std::size_t i = 0; i < k.size(); ++i)
                k.data()[i] += ridge * energy.data()[i];
        }
        return k;
    }
    if (isOptimal(settings.preconditioner)) {
        const Matrix<double> root = rootOf(linalg::withRidge(site.gram, ridge), settings.preconditioner, warnings, context);
        return linalg::gramUpper(linalg::product(a.view(), root.view(), context).view(), Side::Rows, context);
    }
    const std::vector<double> scales = inputScales(site, settings, context);
    Matrix<double> scaled = a;
    for (std::int64_t i = 0; i < a.rows(); ++i)
        for (std::int64_t j = 0; j < a.cols(); ++j)
            scaled(i, j) *= scales[static_cast<std::size_t>(j)];
    return linalg::gramUpper(scaled.view(), Side::Rows, context);
}

} // namespace tamis::lowrank
