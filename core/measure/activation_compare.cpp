// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/measure/activation_compare.h"

#include <algorithm>
#include <cmath>

namespace tamis::measure {
namespace {

tensor::Matrix<float> copied(kernels::ConstRows x)
{
    tensor::Matrix<float> copy(x.rows, x.cols);
    for (std::int64_t i = 0; i < x.rows; ++i)
        std::ranges::copy(x.row(i), copy.data() + i * x.cols);
    return copy;
}

double squaredDifference(kernels::ConstRows x, const tensor::Matrix<float>& y)
{
    double sum = 0;
    for (std::int64_t i = 0; i < y.rows(); ++i)
        for (std::int64_t j = 0; j < y.cols(); ++j) {
            const double difference = static_cast<double>(x(i, j)) - static_cast<double>(y(i, j));
            sum += difference * difference;
        }
    return sum;
}

void requireSameShape(kernels::ConstRows x, const tensor::Matrix<float>& y, int block)
{
    if (x.rows != y.rows() || x.cols != y.cols())
        throw Error(ErrorCode::InvalidParameter, "the output of block " + std::to_string(block) + " is " + std::to_string(x.rows) + " x "
                                                     + std::to_string(x.cols) + " in one model and " + std::to_string(y.rows()) + " x "
                                                     + std::to_string(y.cols()) + " in the other, so they cannot be compared");
}

} // namespace

ActivationRecord::ActivationRecord(const RunContext& context, const nn::Model& model, bool attention)
    : StoppingObserver(context), m_model(model), m_attention(attention), m_outputs(model.blocks().size()), m_merges(model.blocks().size()),
      m_inputs(attention ? model.blocks().size() : 0)
{
}

void ActivationRecord::linearInput(std::size_t, const nn::LinearSlot& slot, kernels::ConstRows x)
{
    context().throwIfStopped();
    const auto& blocks = m_model.blocks();
    for (std::size_t block = 0; block < blocks.size(); ++block)
        if (&slot == &blocks[block].merge)
            m_merges[block] = copied(x);
}

void ActivationRecord::blockOutput(std::size_t, int block, kernels::ConstRows x)
{
    m_outputs.at(static_cast<std::size_t>(block)) = copied(x);
}

void ActivationRecord::attentionInput(std::size_t, int block, const nn::Block&, const nn::AttentionInput& input)
{
    if (m_attention)
        m_inputs.at(static_cast<std::size_t>(block)) = {copied(input.q), copied(input.k), copied(input.v), input.paddingQuery, input.paddingKey,
                                                        input.paddingValue};
}

nn::AttentionInput ActivationRecord::attention(int block) const
{
    const AttentionCopy& copy = m_inputs.at(static_cast<std::size_t>(block));
    return {copy.q.view(), copy.k.view(), copy.v.view(), copy.paddingQuery, copy.paddingKey, copy.paddingValue};
}

void BlockSums::add(const BlockSums& other)
{
    difference += other.difference;
    reference += other.reference;
    compressed += other.compressed;
    product += other.product;
    ownDifference += other.ownDifference;
}

void HeadSums::add(const HeadSums& other)
{
    distance += other.distance;
    queries += other.queries;
}

ActivationComparison::ActivationComparison(const RunContext& context, const nn::Model& reference, const ActivationRecord& record)
    : StoppingObserver(context), m_reference(reference), m_record(record), m_blocks(reference.blocks().size()),
      m_heads(record.hasAttention() ? reference.blocks().size() : 0)
{
}

void ActivationComparison::blockOutput(std::size_t, int block, kernels::ConstRows x)
{
    const auto& reference = m_record.output(block);
    requireSameShape(x, reference, block);
    BlockSums& sums = m_blocks.at(static_cast<std::size_t>(block));
    sums.difference += squaredDifference(x, reference);
    for (std::int64_t i = 0; i < x.rows; ++i)
        for (std::int64_t j = 0; j < x.cols; ++j) {
            const double a = static_cast<double>(reference(i, j)), b = static_cast<double>(x(i, j));
            sums.reference += a * a;
            sums.compressed += b * b;
            sums.product += a * b;
        }
}

void ActivationComparison::attentionInput(std::size_t, int block, const nn::Block& layer, const nn::AttentionInput& input)
{
    if (m_heads.empty())
        return;
    const auto& reference = *m_reference.blocks().at(static_cast<std::size_t>(block)).attention;
    const auto& compressed = *layer.attention;
    const nn::AttentionInput recorded = m_record.attention(block);
    const std::int64_t tokens = input.q.rows, maps = reference.maps(tokens);
    if (recorded.q.rows != tokens || compressed.heads() != reference.heads() || compressed.maps(tokens) != maps)
        return; // another attention: its maps are not of the same pairs of tokens
    auto& heads = m_heads[static_cast<std::size_t>(block)];
    heads.resize(static_cast<std::size_t>(reference.heads()));
    for (std::int64_t head = 0; head < reference.heads(); ++head)
        for (std::int64_t map = 0; map < maps; ++map) {
            context().throwIfStopped();
            const auto p = reference.map(recorded, head, map, context()), q = compressed.map(input, head, map, context());
            double sum = 0;
            for (std::size_t i = 0; i < p.size(); ++i)
                sum += std::abs(static_cast<double>(p.values()[i]) - static_cast<double>(q.values()[i]));
            heads[static_cast<std::size_t>(head)].add({sum / 2, static_cast<std::uint64_t>(p.rows())});
        }
}

void addOwnErrors(const nn::Model& reference, const nn::Model& compressed, const LoadedSample& sample, const ActivationRecord& record,
                  nn::Scratch& scratch, const RunContext& context, std::vector<BlockSums>& blocks)
{
    StoppingObserver stopping(context);
    tensor::Matrix<float> x(reference.embeddedTokens(sample.view()), reference.spec().width);
    reference.embed(sample.view(), x.view(), scratch);
    for (std::size_t block = 0; block < blocks.size(); ++block) {
        const auto& expected = record.output(static_cast<int>(block));
        compressed.runBlock(static_cast<int>(block), x.view(), scratch, 0, &stopping);
        requireSameShape(x.view(), expected, static_cast<int>(block));
        blocks[block].ownDifference += squaredDifference(x.view(), expected);
        const auto& merged = record.mergeInput(static_cast<int>(block));
        if (merged.empty()) {
            x = expected;
            continue;
        }
        const nn::LinearOp& merge = *reference.blocks()[block].merge.op;
        x = tensor::Matrix<float>(merged.rows(), merge.outFeatures());
        merge.apply(merged.view(), {}, x.view(), scratch);
    }
}

} // namespace tamis::measure
