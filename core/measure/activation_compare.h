// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Block outputs and attention maps of two models that run the same sample.
#include "core/measure/forward.h"

#include <cstdint>
#include <vector>

namespace tamis::measure {

/// What the reference model did with one sample: the output of every block and, where asked for, the inputs of its attentions.
class ActivationRecord : public StoppingObserver {
public:
    ActivationRecord(const RunContext& context, const nn::Model& model, bool attention);
    void linearInput(std::size_t sample, const nn::LinearSlot& slot, kernels::ConstRows x) override;
    void blockOutput(std::size_t sample, int block, kernels::ConstRows x) override;
    void attentionInput(std::size_t sample, int block, const nn::Block& layer, const nn::AttentionInput& input) override;

    const tensor::Matrix<float>& output(int block) const { return m_outputs.at(static_cast<std::size_t>(block)); }
    /// What the patch merging after a block multiplied (Swin); empty where there is none.
    const tensor::Matrix<float>& mergeInput(int block) const { return m_merges.at(static_cast<std::size_t>(block)); }
    bool hasAttention() const noexcept { return m_attention; }
    /// q, k, v copied; views into this object.
    nn::AttentionInput attention(int block) const;

private:
    struct AttentionCopy {
        tensor::Matrix<float> q, k, v;
        const float *paddingQuery = nullptr, *paddingKey = nullptr, *paddingValue = nullptr; ///< the model's own
    };
    const nn::Model& m_model;
    bool m_attention;
    std::vector<tensor::Matrix<float>> m_outputs, m_merges;
    std::vector<AttentionCopy> m_inputs;
};

/// Sums of one sample, or of several, over the entries of one block's output.
struct BlockSums {
    double difference = 0; ///< sum of (compressed - reference)^2
    double reference = 0, compressed = 0; ///< sums of squares
    double product = 0;
    double ownDifference = 0; ///< of the block fed the reference's input
    void add(const BlockSums& other);
};

/// Sum over the queries of one head of the total variation distance of their maps, sum |p - p'| / 2.
struct HeadSums {
    double distance = 0;
    std::uint64_t queries = 0;
    void add(const HeadSums& other);
};

/// Compares another model's run with a record, block by block, while it runs.
class ActivationComparison : public StoppingObserver {
public:
    /// Attention maps are compared when the record holds attention inputs. `reference` is the model of the record.
    ActivationComparison(const RunContext& context, const nn::Model& reference, const ActivationRecord& record);
    void blockOutput(std::size_t sample, int block, kernels::ConstRows x) override;
    void attentionInput(std::size_t sample, int block, const nn::Block& layer, const nn::AttentionInput& input) override;

    std::vector<BlockSums>& blocks() noexcept { return m_blocks; }          ///< one a block
    std::vector<std::vector<HeadSums>>& heads() noexcept { return m_heads; } ///< one a block and head; empty without maps

private:
    const nn::Model& m_reference;
    const ActivationRecord& m_record;
    std::vector<BlockSums> m_blocks;
    std::vector<std::vector<HeadSums>> m_heads;
};

/// Runs every block of `compressed` on the input that the same block of the reference had, and adds the squared error of its
/// output against the reference's to blocks[b].ownDifference. `record` is of `sample` through `reference`.
void addOwnErrors(const nn::Model& reference, const nn::Model& compressed, const LoadedSample& sample, const ActivationRecord& record,
                  nn::Scratch& scratch, const RunContext& context, std::vector<BlockSums>& blocks);

} // namespace tamis::measure
