// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The local problem min |(W - B A) X|_F seen through a preconditioner P of the inputs: the rank-r truncation of
// U S V^T = W P gives B A = U_r S_r V_r^T P^-1 = U_r U_r^T W, so that P is never inverted. With rows weighted by g (Fisher),
// the same of diag(g) W, divided by g again. docs/methods/lowrank.local.md.
#include "core/base/parameter_schema.h"
#include "core/base/run_context.h"
#include "core/io/calibration.h"
#include "core/tensor/matrix.h"

#include <string>
#include <string_view>
#include <vector>

namespace tamis::lowrank {

enum class Preconditioner {
    Identity,        ///< plain SVD
    AbsMean,         ///< ASVD: (mean |x_j|)^alpha
    AbsMax,          ///< (max |x_j|)^alpha
    Fisher,          ///< (rms g rms x_j)^alpha, rows by the root of their mean-squared gradient
    FisherAbsMean,   ///< (rms g rms x_j mean |x_j|)^alpha, rows likewise
    DiagonalHessian, ///< diag((C + ridge)^-1)^{-1/2}, as optimal brain surgery weighs an input
    DiagonalL1,      ///< mean |x_j|
    DiagonalL2,      ///< diag(C)^{1/2}
    RootCovariance,  ///< C^{1/2}, symmetric (LatentLLM)
    Cholesky,        ///< L, C = L L^T (SVD-LLM)
    Eigen,           ///< Q Lambda^{1/2} in two steps (SVD-LLM v2)
    OutputPca        ///< eigenvectors of W C W^T (Swift-SVD): no root at all
};

/// In menu order.
const std::vector<Preconditioner>& preconditioners();
std::string_view preconditionerName(Preconditioner preconditioner) noexcept;  ///< "root-covariance": value of the parameter
std::string_view preconditionerTitle(Preconditioner preconditioner) noexcept; ///< "Root covariance (LatentLLM)"
/// Throws Error{InvalidParameter}.
Preconditioner parsePreconditioner(std::string_view name);
/// One of the last four: attains the least possible loss when C is well conditioned and there is no ridge.
bool isOptimal(Preconditioner preconditioner) noexcept;
bool needsGradients(Preconditioner preconditioner) noexcept;
bool needsSampleRows(Preconditioner preconditioner) noexcept;

struct PreconditionerSettings {
    Preconditioner preconditioner = Preconditioner::OutputPca;
    double alpha = 0.5; ///< exponent of AbsMean, AbsMax, Fisher, FisherAbsMean
    double ridge = 0;   ///< added to C, relative to the mean of its diagonal (the last four and DiagonalHessian)
    /// "preconditioner", "alpha" and "ridge" of complete parameters.
    static PreconditionerSettings from(const Parameters& complete);
    /// Text that two settings share when and only when they mean the same decomposition.
    std::string key() const;
};

/// The three parameters, for the schema of a method.
std::vector<ParameterSpec> preconditionerParameters();

/// d [n] of the diagonal preconditioners, what the sample rows (mean and largest |x|) or the gram hold; 1e-6 is added where
/// the authors of ASVD add it. Throws Error{InvalidParameter} when the site lacks sample rows or gradients.
std::vector<double> inputScales(const io::CalibrationSite& site, const PreconditionerSettings& settings, const RunContext& context);
/// g [m] of the Fisher preconditioners, roots of the mean-squared output gradients, 1e-6 of their mean added; empty for others.
/// Throws Error{InvalidParameter} when the site has none, or not `rows` of them.
std::vector<double> outputScales(const io::CalibrationSite& site, const PreconditionerSettings& settings, std::int64_t rows);

/// K = (A P)(A P)^T for A [p, n], upper triangle at least: what its eigenvectors are the left singular vectors of.
/// `warnings`: singular statistics, a Cholesky that gave way to the eigen form.
tensor::Matrix<double> preconditionedGram(const tensor::Matrix<double>& a, const io::CalibrationSite& site, const PreconditionerSettings& settings,
                                          std::vector<std::string>& warnings, const RunContext& context);

} // namespace tamis::lowrank
