// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Random features of cosines and sines on the tape.
#include "core/train/tape.h"

#include <cstdint>

namespace tamis::train {

struct TrigonometricShape {
    std::int64_t sequences = 1, heads = 1;
    double factor = 1; ///< y = factor x
    bool keys = false; ///< with the factor exp(|y|^2 / 2 - c), c the largest |y|^2 / 2 of the head's rows of one sequence; queries have none, for it cancels
};
/// count^(-1/2) (cos w . y, sin w . y) (Rahimi, Recht 2007): x [sequences tokens, heads dim], directions [count, dim], borrowed until the tape's reset and
/// not trained -> [sequences tokens, heads 2 count], a head's cosines before its sines. c has no gradient: it is the same factor of all of a head's keys and
/// cancels in featureAttention.
template <class T> Variable<T> trigonometricFeatures(Variable<T> x, View<const T> directions, const TrigonometricShape& shape);

} // namespace tamis::train
