// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The assignment problem with a given number of pairs.
#include "core/base/run_context.h"
#include "core/tensor/matrix.h"

#include <cstdint>
#include <vector>

namespace tamis::linalg {

struct Assigned {
    std::vector<std::int64_t> columnOf; ///< [rows] column that a row is paired with, -1: none
    std::int64_t pairs = 0;
    double total = 0;                   ///< sum of the values of the pairs
};

/// `pairs` pairs of a row and a column, none in two pairs, whose values [rows, columns] have the largest sum there is; as many as can be where
/// there are fewer. -infinity: not to be paired. Successive shortest augmenting paths (Jonker and Volgenant 1987, here from all free rows at once,
/// so that every number of pairs on the way is the best of its number), Dijkstra on dense costs with potentials: O(pairs rows columns). Which of
/// several optima is fixed. Throws Error{InvalidParameter (pairs below 0), NonFinite (NaN, +infinity), Cancelled}.
Assigned bestAssignment(tensor::MatrixView<const double> values, std::int64_t pairs, const RunContext& context = {});

} // namespace tamis::linalg
