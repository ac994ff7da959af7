// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Losses of routers: choices among groups, with soft targets.
#include "core/train/tape.h"

#include <cstdint>

namespace tamis::train {

/// Columns of `logits` [n, c] in runs of `choices`, each a choice of its own: the mean over rows of
/// sum over runs, over columns j of a run: -t_j log p_j, p = softmax of the run's logits. `targets` [n, c] are not negative and need not
/// sum to 1: a run without any counts for nothing. With one run: cross entropy with soft labels; with the children of every node
/// of a tree as runs and their mass as targets: that of its leaves. Targets are borrowed until reset(). Throws Error{InvalidParameter} for
/// no row, other shapes, or columns that are no whole runs.
template <class T> Variable<T> softCrossEntropy(Variable<T> logits, View<const T> targets, std::int64_t choices);

} // namespace tamis::train
