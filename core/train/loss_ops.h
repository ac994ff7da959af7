// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Losses: [1, 1] variables, means over rows unless said.
#include "core/train/tape.h"

#include <cstdint>
#include <span>

namespace tamis::train {

inline constexpr std::int32_t kIgnored = -1; ///< a label that does not count (padding)

/// Mean over the rows that count of -(1 - s) log p_label - s / classes sum_c log p_c, p = softmax(logits row), s = smoothing in
/// [0, 1) (PyTorch's label_smoothing). Labels are copied; kIgnored or a class, else Error{InvalidParameter}. No row
/// that counts: 0.
template <class T> Variable<T> crossEntropy(Variable<T> logits, std::span<const std::int32_t> labels, double smoothing = 0);

/// Mean over rows of temperature^2 KL(softmax(teacher / temperature) | softmax(logits / temperature)) (Hinton, Vinyals, Dean 2015).
/// No gradient goes to the teacher.
template <class T> Variable<T> distillation(Variable<T> logits, Variable<T> teacher, double temperature = 1);

/// Mean over all elements of (a - b)^2.
template <class T> Variable<T> meanSquaredError(Variable<T> a, Variable<T> b);

/// softmax of each row, for routers.
template <class T> Variable<T> softmaxRows(Variable<T> x);

} // namespace tamis::train
