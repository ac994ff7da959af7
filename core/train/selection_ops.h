// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Choices on the tape: the k largest, random and hard gates, ranks. What a hard choice does to its gradient is said for each.
#include "core/train/tape.h"

#include <cstdint>

namespace tamis::train {

enum class ChoiceGradient {
    Kept,           ///< only what was kept passes its gradient on: the derivative where it exists
    StraightThrough ///< everything does, as if nothing had been chosen (Bengio, Leonard, Courville 2013)
};

/// The k largest of each row, zeros elsewhere: 1 <= k <= x.cols. Of equal values the first are kept.
template <class T> Variable<T> topK(Variable<T> x, std::int64_t k, ChoiceGradient gradient = ChoiceGradient::Kept);

/// 1 with probability p, else 0, for each p of `probabilities` (outside [0, 1]: always or never); the gradient goes straight
/// through. Draws are a function of seed and position.
template <class T> Variable<T> bernoulliGate(Variable<T> probabilities, std::uint64_t seed);

/// 1 where x > threshold, else 0; the gradient goes straight through.
template <class T> Variable<T> stepGate(Variable<T> x, double threshold);

struct HardConcrete {
    double temperature = 2.0 / 3.0, low = -0.1, high = 1.1; ///< beta, gamma < 0, zeta > 1 of Louizos, Welling, Kingma 2018
};
/// clamp(sigmoid((log u - log(1 - u) + a) / temperature) (high - low) + low, 0, 1) for each a of `logits`, u uniform, a function
/// of seed and position.
template <class T> Variable<T> hardConcreteGate(Variable<T> logits, std::uint64_t seed, const HardConcrete& shape = {});
/// The gate without noise, for evaluation: clamp(sigmoid(a) (high - low) + low, 0, 1).
template <class T> Variable<T> hardConcreteMean(Variable<T> logits, const HardConcrete& shape = {});
/// Probability that the gate is not zero, sigmoid(a - temperature log(-low / high)): the expected L0 norm, element by element.
template <class T> Variable<T> hardConcreteOpen(Variable<T> logits, const HardConcrete& shape = {});

/// A differentiable rank: gates [1, count], gate i = (tanh(beta (k - i)) + 1) / 2 for i = 1..count, k [1, 1] (Dobi-SVD, beta 10).
/// At k = r + 1/2 the first r gates are open and their sum is r.
template <class T> Variable<T> rankGate(Variable<T> k, std::int64_t count, double beta = 10);

} // namespace tamis::train
