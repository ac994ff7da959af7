// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What a learned choice of tokens is trained through (DynamicViT, Rao et al. 2021): random hard decisions, means and attention that a policy
// weighs. A policy is a column: one number a token, 1 kept, 0 dropped.
#include "core/train/attention_ops.h"
#include "core/train/tape.h"

#include <cstdint>

namespace tamis::train {

/// Attention that a policy masks: with s = scale q k^T, m_i = max_j s_ij, e_ij = exp(s_ij - m_i), p_ij = policy_j for j != i and p_ii = 1,
///   P_ij = (e_ij p_ij + epsilon / n) / (sum_j e_ij p_ij + epsilon),   y = P v
/// for each sequence and head, n its tokens: dropped tokens are seen by none but themselves. q, k, v [s n, heads d], policy [s n, 1]. The gradient
/// goes through the maximum, too, as PyTorch's does (the first of equal ones). `shape`: sequences, heads and scale; the rest at its defaults.
template <class T> Variable<T> policyAttention(Variable<T> q, Variable<T> k, Variable<T> v, Variable<T> policy, const AttentionShape& shape, double epsilon = 1e-6);

/// sum_i policy_i x_i / sum_i policy_i of each sequence: x [s n, d], policy [s n, 1] -> [s, d]. Zeros, and no gradient, where the policy is 0
/// everywhere.
template <class T> Variable<T> policyMean(Variable<T> x, Variable<T> policy, std::int64_t sequences);

/// 1 where x(i, 0) + noise(i, 0) >= x(i, 1) + noise(i, 1), else 0: [rows, 1] of x [rows, 2]. The gradient is that of
/// softmax(x + noise)(i, 0): straight through (Jang, Gu, Poole 2017, temperature 1). With Gumbel noise 1 has the probability that softmax(x) says.
template <class T> Variable<T> straightThroughKeep(Variable<T> x, View<const T> noise);

/// Gumbel noise by position, [rows, cols] of `out`: -log(-log u), a function of the seed.
template <class T> void gumbelNoise(View<T> out, std::uint64_t seed);

} // namespace tamis::train
