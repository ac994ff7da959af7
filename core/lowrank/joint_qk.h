// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// LatentLLM's joint compression of one layer's query and key projections: prepared once, solved for any ranks while a slider
// moves. docs/methods/lowrank.joint-qk.md.
#include "core/lowrank/attention_parts.h"
#include "core/lowrank/score_planes.h"
#include "core/plan/accounting.h"

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace tamis::lowrank {

/// The parameters that decide a layer's solution (those of the method lowrank.joint-qk, its choice of ranks left out).
std::vector<ParameterSpec> jointQkParameters();

class JointQk {
public:
    /// Reads weights and statistics of block `layer` of inputs.model and reduces them: independent of ranks. Of `parameters`, those
    /// of jointQkParameters() are used, with their defaults where missing. Throws Error{InvalidParameter, NonFinite, Cancelled}.
    static JointQk prepare(const Inputs& inputs, int layer, const Parameters& parameters, const RunContext& context = {});

    struct Solution {
        nn::LinearPtr query, key; ///< the two projections with their biases; parts of `operators`' stacked one where the model fuses q, k and v
        std::vector<std::pair<std::string, nn::LinearPtr>> operators; ///< ready for nn::Model::replaced()
        std::int64_t queryRank = 0, keyRank = 0; ///< as asked, or less where the weights have no more directions
        double objective = 0;                    ///< sum_i |S_i - S'_i|^2 over sum_i |S_i|^2 under the statistics
        std::vector<double> headObjective;       ///< [heads], each relative to its own
        std::vector<double> history;             ///< objective after each half step, never rising
        int iterations = 0;
        tensor::Matrix<double> queryLatent, keyLatent; ///< B_q [heads headDim, queryRank], B_k, in coordinates where the inputs are white
        bool joint = true;                       ///< false: separate whitened factors
    };
    /// Ranks 1 .. maxRank (Error{InvalidParameter}). Where a norm stands before the scores, separate whitened factors. `value`: what
    /// stands in a fused projection for v; null: dense.
    Solution solve(std::int64_t queryRank, std::int64_t keyRank, const RunContext& context = {},
                   plan::Accounting accounting = plan::Accounting::Factors, nn::LinearPtr value = {}) const;
    /// Separate whitened factors of the same ranks, judged by the same objective: the baseline.
    Solution separate(std::int64_t queryRank, std::int64_t keyRank, const RunContext& context = {},
                      plan::Accounting accounting = plan::Accounting::Factors, nn::LinearPtr value = {}) const;

    /// Score energy of each plane's directions, descending (squared singular values of each projection where it falls back).
    const std::vector<double>& queryEnergy() const noexcept;
    const std::vector<double>& keyEnergy() const noexcept;
    std::int64_t maxQueryRank() const noexcept; ///< min(rows, cols) of the projection
    std::int64_t maxKeyRank() const noexcept;
    std::int64_t heads() const noexcept;
    std::int64_t keyValueHeads() const noexcept;
    const AttentionParts& parts() const noexcept;
    const ScorePlanes& planes() const noexcept;
    bool bilinear() const noexcept; ///< false: a norm on queries or keys, so that solve() falls back
    const std::vector<std::string>& notices() const noexcept;

private:
    struct Content;
    explicit JointQk(std::shared_ptr<const Content> content) : m_content(std::move(content)) {}
    std::shared_ptr<const Content> m_content;
};

} // namespace tamis::lowrank
