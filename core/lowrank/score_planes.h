// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Shared latent planes for the queries and the keys of a layer under an attention-score objective; weights and statistics in,
// factors out, no model. docs/methods/lowrank.joint-qk.md. Any product of two matrices a head has this form: that of outputs and values
// too (docs/methods/lowrank.joint-vo.md).
#include "core/base/run_context.h"
#include "core/lowrank/displacements.h"
#include "core/tensor/matrix.h"

#include <cstdint>
#include <vector>

namespace tamis::lowrank {

/// Query head i scores keys of head i / (heads / keyValueHeads): s = x_q^T W_q,i^T R_d^T W_k,g x_k.
struct ScoreProblem {
    tensor::Matrix<double> query;       ///< W_q [heads headDim, D]
    tensor::Matrix<double> key;         ///< W_k [keyValueHeads headDim, D']
    tensor::Matrix<double> queryInputs; ///< C of what queries read, [D, D], ridge included
    tensor::Matrix<double> keyInputs;   ///< of what keys read, [D', D']; empty: the same
    std::int64_t heads = 0, keyValueHeads = 0, headDim = 0;
    MeanRotation rotation;
    std::vector<double> headWeights; ///< [heads], positive; empty: all 1
    bool relativeHeads = false; ///< every head counts by its relative error; otherwise by its scores' energy
};

/// W' = b a. b [rows, r], a [r, D].
struct PlaneFactors {
    tensor::Matrix<double> b, a;
};

struct ScoreSolution {
    PlaneFactors query, key;
    std::int64_t queryRank = 0, keyRank = 0; ///< as asked, or less where the weights have no more directions
    double objective = 0;                    ///< sum_i w_i |S_i - S'_i|^2 / sum_i w_i |S_i|^2, S_i over all pairs of tokens and displacements
    std::vector<double> headObjective;       ///< [heads]: each relative to its own |S_i|^2
    std::vector<double> history;             ///< objective after every half step, never rising
    int iterations = 0;                      ///< pairs of half steps after the start
};

struct Alternation {
    int iterations = 10;      ///< at most
    double tolerance = 1e-6;  ///< stops when an iteration takes less than this share off the objective
};

/// What does not depend on ranks: the reduced problem. W C W^T = U Lambda U^T gives W C^{1/2} = U Lambda^{1/2} E with E of orthonormal
/// rows, so a plane of the whitened inputs that serves W at all is a plane within E, of coordinates a [r, p]. Its operator is
/// A = a Lambda^{-1/2} U^T W: no root of C is formed, none inverted. Immutable; safe to share between threads.
class ScorePlanes {
public:
    /// Throws Error{InvalidParameter} for shapes that disagree, Error{NonFinite, Cancelled}.
    explicit ScorePlanes(const ScoreProblem& problem, const RunContext& context = {});

    /// Tucker / HOSVD alternation: each half step takes the best plane for the other one. Ranks >= 1 (Error{InvalidParameter}).
    ScoreSolution solve(std::int64_t queryRank, std::int64_t keyRank, const Alternation& alternation = {}, const RunContext& context = {}) const;
    /// Separate whitened SVDs of W_q and W_k at these ranks, judged by the same objective.
    ScoreSolution separate(std::int64_t queryRank, std::int64_t keyRank, const RunContext& context = {}) const;

    /// Score energy of the directions of each plane with the other whole, descending: they sum to the same total. What is cut
    /// off both bounds the objective from above, what is cut off either from below.
    const std::vector<double>& queryEnergy() const noexcept { return m_query.energy; }
    const std::vector<double>& keyEnergy() const noexcept { return m_key.energy; }
    /// Squared singular values of W C^{1/2}: what separate planes are chosen on.
    const std::vector<double>& queryWhitened() const noexcept { return m_query.lambda; }
    const std::vector<double>& keyWhitened() const noexcept { return m_key.lambda; }
    const std::vector<double>& headEnergy() const noexcept { return m_headEnergy; } ///< |S_i|^2, [heads]
    std::int64_t heads() const noexcept { return m_heads; }
    std::int64_t keyValueHeads() const noexcept { return m_keyValueHeads; }
    std::int64_t headDim() const noexcept { return m_headDim; }

private:
    struct Half {
        tensor::Matrix<double> reduced; ///< U Lambda^{1/2} [rows, p]: W C^{1/2} in the coordinates of E
        tensor::Matrix<double> reader;  ///< Lambda^{-1/2} U^T W [p, D]: coordinates from an input
        std::vector<double> lambda;     ///< [p], descending
        std::vector<double> energy;     ///< [p]
        tensor::Matrix<double> start;   ///< [p, p]: row i is the direction of energy[i]
    };
    using Moments = std::vector<tensor::Matrix<double>>; ///< [headDim, headDim] a head
    static Half reduce(const tensor::Matrix<double>& w, const tensor::Matrix<double>& c, const char* which, const RunContext& context);
    static void setEnergy(Half& half, const tensor::Matrix<double>& gram, const RunContext& context);
    Moments moments(const tensor::Matrix<double>& b, std::int64_t heads, const RunContext& context) const;
    Moments seenByQueries(const Moments& keys) const;   ///< [heads], weighted
    Moments seenByKeys(const Moments& queries) const;   ///< [keyValueHeads], weighted
    tensor::Matrix<double> planeGram(const Half& half, const Moments& seen, const RunContext& context) const;
    std::vector<double> headProducts(const Moments& queries, const Moments& keys) const; ///< mean |S_i|^2 over displacements
    ScoreSolution finished(ScoreSolution solution, const tensor::Matrix<double>& queryPlane, const tensor::Matrix<double>& keyPlane,
                           const RunContext& context) const;

    Half m_query, m_key;
    std::int64_t m_heads = 0, m_keyValueHeads = 0, m_headDim = 0;
    MeanRotation m_rotation;
    std::vector<double> m_headEnergy, m_weights;
    double m_total = 0;
};

} // namespace tamis::lowrank
