// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/encoder/method.h"
#include "core/encoder/score_training.h"
#include "core/tensor/matrix.h"

#include <cstdint>

namespace tamis::encoder {

/// encoder.low-rank-trained: scores B (A x) + b trained on the codes of the calibration rows; docs/methods/encoder.low-rank-trained.md.
Method lowRankTrainedMethod();

/// Parameters "b" [M, r], "a" [r, D] and "bias" [M] on the tape.
train::Variable<float> lowRankScores(train::Tape<float>& tape, train::ParameterSet<float>& set, train::Variable<float> x);

/// Scales column r of b and row r of a to equal lengths: one learning rate suits both. Columns of length 0 stay.
void balanceFactors(tensor::Matrix<double>& b, tensor::Matrix<double>& a);
/// Gaussian factors whose product has the mean square of w, in expectation.
void randomFactors(tensor::MatrixView<const float> w, tensor::Matrix<double>& b, tensor::Matrix<double>& a, std::uint64_t seed);

} // namespace tamis::encoder
