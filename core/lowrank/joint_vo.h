// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// One layer's value and output projections together: shared planes (LatentLLM), or head by head (MoDeGPT). Prepared once, solved
// for any ranks. docs/methods/lowrank.joint-vo.md.
#include "core/lowrank/attention_parts.h"
#include "core/lowrank/score_planes.h"
#include "core/plan/accounting.h"

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace tamis::lowrank {

/// The parameters that decide a layer's solution (those of the method lowrank.joint-vo, form and ranks left out).
std::vector<ParameterSpec> jointVoParameters();

class JointVo {
public:
    /// Of `parameters`, those of jointVoParameters() are used, with their defaults where missing. Throws Error{InvalidParameter,
    /// NonFinite, Cancelled}.
    static JointVo prepare(const Inputs& inputs, int layer, const Parameters& parameters, const RunContext& context = {});

    struct Solution {
        nn::LinearPtr value, output; ///< with their biases
        std::int64_t valueRank = 0, outputRank = 0; ///< of the shared planes, or both the rank a head
        double objective = 0;               ///< sum_i w_i |W_o,i W_v,i - W'_o,i W'_v,i|^2_C over that of nothing
        std::vector<double> headObjective;  ///< [heads], each relative to its own
        std::vector<double> history;        ///< objective after each half step
        int iterations = 0;
    };
    /// Shared planes: a [r_v, d] on what values read, an orthonormal [r_o, d] on what outputs write.
    Solution joint(std::int64_t valueRank, std::int64_t outputRank, const RunContext& context = {}, plan::Accounting accounting = plan::Accounting::Factors) const;
    /// Each head's product at rank r < headDim by Eckart and Young; heads that share a value head share its latent. The latents stand in the
    /// first r features of each head, the others are zero: the operators are dense blocks between what is not ("selected").
    Solution split(std::int64_t headRank, const RunContext& context = {}) const;
    /// Whitened factors of either projection alone, each under the statistics of its own inputs.
    Solution separate(std::int64_t valueRank, std::int64_t outputRank, const RunContext& context = {}, plan::Accounting accounting = plan::Accounting::Factors) const;

    /// Energy of the planes' directions, descending.
    const std::vector<double>& valueEnergy() const noexcept;
    const std::vector<double>& outputEnergy() const noexcept;
    const AttentionParts& parts() const noexcept;
    bool constantsExact() const noexcept; ///< the output's bias carries what the factors do to the mean input
    const std::vector<std::string>& notices() const noexcept;

private:
    struct Content;
    explicit JointVo(std::shared_ptr<const Content> content) : m_content(std::move(content)) {}
    std::shared_ptr<const Content> m_content;
};

/// Multiplications a token of values, mixing over `tokens` and outputs with shared planes, in both orders of contraction.
struct ContractionCost {
    std::uint64_t heads = 0;  ///< latents to heads, mixed by head, heads to the output's latents: what the operators run as
    std::uint64_t latent = 0; ///< the value's latents mixed by every head, then a core [r_o, r_v] a head: caches r_v numbers a token
    std::uint64_t dense = 0;
};
ContractionCost contractionCost(const AttentionParts& parts, std::int64_t valueRank, std::int64_t outputRank, std::int64_t tokens);

} // namespace tamis::lowrank
