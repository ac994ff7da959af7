// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What operators make of the heads' maps and outputs, on the queries, keys and values that the whole model has there: no error of an earlier
// block is in it.
#include "core/attention/assignment.h"
#include "core/attention/block_map.h"
#include "core/attention/head_traits.h"
#include "core/measure/sample_source.h"
#include "core/report/model_report.h"

#include <cstdint>
#include <span>
#include <vector>

namespace tamis::attention {

/// Of one head, over all samples.
struct HeadError {
    int layer = 0;
    std::int64_t head = 0;
    double map = 0;    ///< mean over queries and samples of sum |p - p'| / 2; above 1 where the map has negative entries
    double output = 0; ///< |o - o'|_F / |o|_F of the mixed values, over all samples
    double cosine = 0; ///< of o and o', over all samples
};

/// Heads of the blocks that have an operator, by layer and head; from the first `samples` of the source. Sums in double in the order of the
/// samples: the same for any number of threads. Throws Error{InvalidParameter (no sample), Cancelled}, and what loading and operators throw.
std::vector<HeadError> headErrors(const nn::Model& model, const BlockOperators& operators, const measure::SampleSource& source, std::size_t samples, const RunContext& context);

/// What the operator makes of the rows, [queries, heads headDim]. `parallel` as Scratch has it. Throws what the operator throws.
tensor::Matrix<float> mixedValues(const nn::AttentionOp& op, const nn::AttentionInput& input, bool parallel, const RunContext& context);

/// Sums of one head, in double, in the order in which samples are added.
class HeadErrorSum {
public:
    void addMaps(tensor::MatrixView<const float> exact, tensor::MatrixView<const float> other); ///< [queries, keys]
    void addOutputs(tensor::MatrixView<const float> exact, tensor::MatrixView<const float> other); ///< [queries, headDim]
    HeadError error(int layer, std::int64_t head) const;
    double outputError() const; ///< not measured for outputs of zeros

private:
    double m_variation = 0, m_difference = 0, m_exact = 0, m_other = 0, m_product = 0;
    std::int64_t m_queries = 0;
};

/// Several sets of operators beside the exact ones on the same inputs, and what the exact heads do. Heads of a block in parallel; the sums do
/// not depend on it. One thread at a time.
class HeadMeasurement {
public:
    /// `sets` [each: blocks] and what they point to must outlive it. `traits`: those of the exact heads too.
    HeadMeasurement(const nn::ModelSpec& spec, std::vector<const BlockOperators*> sets, bool traits);
    /// One block of one sample; blocks of a sample once each, in any order.
    void add(int block, const nn::AttentionOp& exact, const nn::AttentionInput& input, const RunContext& context);
    std::vector<HeadError> errors(std::size_t set) const;   ///< of blocks with an operator that were added, by layer and head
    std::vector<report::HeadTraits> traits() const;         ///< of all heads, by layer and head; empty values where not asked for

private:
    struct Head {
        std::vector<HeadErrorSum> sums; ///< a set
        report::HeadTraits traits;
        std::size_t samples = 0;
    };
    using Shared = std::vector<std::unique_ptr<const HeadMaps>>; ///< a set; null: each head for itself
    void addHead(int block, std::int64_t head, const nn::AttentionOp& exact, const nn::AttentionInput& input, const Shared& shared, const RunContext& context);
    const nn::ModelSpec& m_spec;
    std::vector<const BlockOperators*> m_sets;
    bool m_traits;
    std::vector<std::vector<Head>> m_heads; ///< by block
};

} // namespace tamis::attention
