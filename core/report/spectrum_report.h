// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What the spectrum lab produces and its views show. Plain values.
#include "core/base/parameter_schema.h"

#include <cstdint>
#include <string>
#include <vector>

namespace tamis::report {

/// One matrix W [rows, cols]; p = min(rows, cols). NaN marks "not defined".
struct MatrixSpectrum {
    std::string name; ///< tensor name without ".weight"
    int layer = -1;
    std::string role; ///< io::roleName
    std::string dtype;
    std::int64_t rows = 0, cols = 0;
    bool compressible = false; ///< a linear operator that the plan may replace

    std::vector<double> singularValues; ///< [p], descending: of W (plain) or of W C^{1/2} (whitened, ridge included)
    /// Squared error of the best rank-r factors by this method, r = 0..p: |W - BA|_F^2 (plain) or |(W - BA) X|_F^2 summed
    /// over the calibration tokens, ridge not counted (whitened). loss[0] is the energy to be kept.
    std::vector<double> loss;
    std::vector<double> sampleLoss;  ///< the same factors on the file's sample rows, measured; empty without samples
    std::vector<double> heldOutLoss; ///< on the held-out rows; empty without them
    std::vector<double> baselineLoss; ///< whitened: what the factors of the plain SVD lose under the same calibration, at each rank
    std::uint64_t tokens = 0;        ///< tokens behind loss (0: plain)
    std::uint64_t sampleTokens = 0, heldOutTokens = 0;

    double stableRank = 0;    ///< |.|_F^2 / s_1^2
    double effectiveRank = 0; ///< exp(entropy of s_i / sum s)
    double nuclearNorm = 0;   ///< sum of s_i
    double condition = 0;     ///< s_1 / s_p (infinity when s_p is 0)
    double tailExponent = 0;  ///< power-law exponent of the tail of the eigenvalues s_i^2 (Hill estimate)

    double calibrationCondition = 0; ///< lambda_1 / lambda_n of C, NaN for plain
    std::int64_t calibrationRank = 0; ///< directions of C above 1e-12 lambda_1
    double ridge = 0;                 ///< absolute value added to the diagonal of C
    std::uint64_t nanCount = 0, infiniteCount = 0; ///< in W; with either there is no spectrum
    bool preview = false;     ///< randomised approximation: singularValues has fewer than p entries
    double previewError = 0;  ///< a-posteriori bound on |A - Q Q^T A|_2, relative to s_1
    std::vector<std::string> warnings;
};

struct SpectrumReport {
    std::string method;    ///< method id
    Parameters parameters; ///< complete
    std::vector<MatrixSpectrum> matrices;
    std::vector<std::string> warnings;
    double seconds = 0;
};

} // namespace tamis::report
