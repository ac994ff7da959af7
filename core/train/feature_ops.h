// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Attention by features instead of the softmax, and projections along the tokens, on the tape.
#include "core/train/tape.h"

#include <cstdint>

namespace tamis::train {

enum class FeatureKind { EluPlusOne, Relu, SquaredRelu };

/// elu(y) + 1, max(y, 0) or its square of y = factor x, element by element. The derivative at 0 is that of the right side for elu + 1 (both agree)
/// and 0 for the others.
template <class T> Variable<T> linearFeatures(Variable<T> x, FeatureKind kind, double factor);

struct PositiveFeatureShape {
    std::int64_t sequences = 1, heads = 1;
    double factor = 1;      ///< y = factor x
    double epsilon = 1e-4;
    bool keys = false;      ///< c is the largest w . y of a head's rows of one sequence; else of each row
    bool causal = false;    ///< with keys: c_i is the largest w . y of the rows 0 .. i; each head has a column more, behind its features: c_i. epsilon is then not added:
                            ///< it is featureAttention's to add, behind the change of c
};
/// count^(-1/2) (exp(w . y - |y|^2 / 2 - c) + epsilon) (FAVOR+): x [sequences tokens, heads dim], directions [count, dim], borrowed until the tape's
/// reset and not trained -> [sequences tokens, heads count], or heads (count + 1). The gradient goes through c, too: with epsilon it does not cancel.
template <class T> Variable<T> positiveFeatures(Variable<T> x, View<const T> directions, const PositiveFeatureShape& shape);

struct FeatureShape {
    std::int64_t sequences = 1, heads = 1;
    std::int64_t keyValueHeads = 0; ///< 0: as many as heads; else a divisor
    bool causal = false;            ///< query i sees keys 0 .. i; as many keys as queries
    bool running = false;           ///< with causal: g has a column c more a head, and where the query is i, key j has the features g_j exp(c_j - c_i) + floor
    double floor = 0;
};
/// P v with P_ij = f_i . g_j / sum_j f_i . g_j for each sequence and head: f [s n, heads r], g [s m, kvHeads r], v [s m, kvHeads e] -> [s n, heads e]. A row
/// whose sum is 0 is the mean of the values that it may see, with no gradient to the features. Tile by tile of P, quadratic in the tokens: what
/// is trained are formulas, at lengths where that is fast. f, g and v are three different variables.
template <class T> Variable<T> featureAttention(Variable<T> f, Variable<T> g, Variable<T> v, const FeatureShape& shape);

/// projection [m, n] times each sequence of x [sequences n, d]: [sequences m, d].
template <class T> Variable<T> projectTokens(Variable<T> projection, Variable<T> x, std::int64_t sequences);

} // namespace tamis::train
