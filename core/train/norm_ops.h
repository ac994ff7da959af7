// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/train/tape.h"

namespace tamis::train {

/// (x - mean) / sqrt(variance + epsilon) * weight + bias for each row: weight and bias [1, x.cols] or empty.
template <class T> Variable<T> layerNorm(Variable<T> x, Variable<T> weight, Variable<T> bias, double epsilon);

/// x / sqrt(mean square + epsilon) * weight for each row.
template <class T> Variable<T> rmsNorm(Variable<T> x, Variable<T> weight, double epsilon);

/// rmsNorm over each group of weight.cols columns: a head's features (Qwen3's q/k norm). x.cols is a multiple of weight.cols.
template <class T> Variable<T> headRmsNorm(Variable<T> x, Variable<T> weight, double epsilon);

/// layerNorm in the same groups; bias [1, weight.cols] or empty.
template <class T> Variable<T> headLayerNorm(Variable<T> x, Variable<T> weight, Variable<T> bias, double epsilon);

} // namespace tamis::train
