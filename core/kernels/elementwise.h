// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Norms, activations and softmax on rows. Accurate to a few units of float's last place; vectorised, single-threaded.
#include "core/kernels/packed_matrix.h"

#include <span>

namespace tamis::kernels {

void activate(Activation activation, std::span<float> values);
/// (x - mean) / sqrt(variance + epsilon) * weight + bias, a row at a time; weight or bias may be null. y may be x.
void layerNorm(ConstRows x, const float* weight, const float* bias, float epsilon, Rows y);
/// x / sqrt(mean square + epsilon) * weight, a row at a time (LLaMA's RMSNorm). y may be x.
void rmsNorm(ConstRows x, const float* weight, float epsilon, Rows y);
/// In place, over the row, shifted by its maximum.
void softmaxRow(std::span<float> row);
/// y += x
void add(std::span<const float> x, std::span<float> y);
/// Largest log-sum-exp-stable log-likelihood ingredients of one row: maximum and log(sum(exp(row - maximum))).
struct LogSumExp {
    float maximum = 0, logSum = 0;
};
LogSumExp logSumExp(std::span<const float> row);

} // namespace tamis::kernels
