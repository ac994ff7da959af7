// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The gradient of the task loss at whole weights, and what the spectrum's components contribute to it.
#include "core/io/checkpoint.h"
#include "core/measure/sample_source.h"
#include "core/spectrum/method.h"
#include "core/tensor/matrix.h"

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace tamis::lowrank {

struct WeightGradients {
    std::map<std::string, tensor::Matrix<double>> matrices; ///< dLoss/dW [m, n] by matrix name
    double loss = 0;                ///< mean cross entropy, nats
    std::uint64_t predictions = 0;  ///< that it is a mean over: images, or next tokens
};

struct WeightGradientOptions {
    std::size_t samples = 8; ///< evenly spread; 0: all
    bool exact = false;      ///< the tape in double, for checks
};

/// Loss: mean cross entropy of the samples' labels (of the model's likeliest class where an image has none), of the scored next
/// tokens of a text. Sums over samples in double. Throws Error{UnsupportedFeature} for a model that no tape runs,
/// Error{InvalidParameter (no samples, a model without a head, a matrix that is no weight of the tape), NonFinite (a gradient,
/// with its matrix), OutOfMemory, Cancelled}.
WeightGradients weightGradients(const io::Checkpoint& checkpoint, const measure::SampleSource& source, const std::vector<const io::MatrixRef*>& matrices,
                                const WeightGradientOptions& options, const RunContext& context = {});

/// <G, W_r - W> for r = 0 .. p, where W_r keeps the first r components b_i a_i^T of `factors` (b [m, p], a [p, n], b a = W):
/// -(sum over i >= r of b_i^T G a_i). With the whitened components s_i u_i v_i^T L^-1 the terms are the s_i g_i,
/// g = diag(U^T (G L^-T) V) of ZS-SVD, found without a triangular solve. gradient [m, n].
std::vector<double> lossChanges(const tensor::Matrix<double>& gradient, const spectrum::Factors& factors, const RunContext& context = {});

} // namespace tamis::lowrank
