// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/block_samples.h"

#include "core/base/error.h"
#include "core/measure/forward.h"

#include <algorithm>
#include <string>

namespace tamis::attention {
namespace {
constexpr std::uint64_t kMostBytes = std::uint64_t{2} << 30U;

tensor::Matrix<float> copied(kernels::ConstRows rows)
{
    tensor::Matrix<float> copy(rows.rows, rows.cols);
    for (std::int64_t i = 0; i < rows.rows; ++i)
        std::copy_n(rows.data + i * rows.stride, rows.cols, copy.data() + i * rows.cols);
    return copy;
}

tensor::Matrix<float> columns(const tensor::Matrix<float>& rows, std::int64_t first, std::int64_t count)
{
    return copied({rows.data() + first, rows.rows(), count, rows.cols()});
}

class Collector final : public measure::StoppingObserver {
public:
    Collector(std::vector<std::shared_ptr<BlockSamples>>& blocks, const RunContext& context) : StoppingObserver(context), m_blocks(blocks) {}
    void attentionInput(std::size_t, int block, const nn::Block&, const nn::AttentionInput& input) override
    {
        context().throwIfStopped();
        const auto& wanted = m_blocks[static_cast<std::size_t>(block)];
        if (!wanted)
            return;
        m_bytes += sizeof(float) * static_cast<std::uint64_t>(input.q.rows * (input.x.cols + input.q.cols + input.k.cols + input.v.cols));
        if (m_bytes > kMostBytes)
            throw Error(ErrorCode::LimitExceeded, "found more than 2 GiB of queries, keys and values, expected less: take fewer or shorter samples", "calibration samples");
        wanted->samples.push_back({copied(input.x), copied(input.q), copied(input.k), copied(input.v)});
    }

private:
    std::vector<std::shared_ptr<BlockSamples>>& m_blocks;
    std::uint64_t m_bytes = 0;
};
} // namespace

nn::AttentionInput AttentionSample::view() const noexcept { return {.q = q.view(), .k = k.view(), .v = v.view(), .x = x.view()}; }

BlockSamples BlockSamples::ofHead(const nn::AttentionSpec& spec, std::int64_t head) const
{
    const std::int64_t d = spec.headDim, shared = head / (spec.heads / spec.keyValueHeads);
    BlockSamples one;
    for (const AttentionSample& sample : samples)
        one.samples.push_back({sample.x, columns(sample.q, head * d, d), columns(sample.k, shared * d, d), columns(sample.v, shared * d, d)});
    return one;
}

std::vector<std::shared_ptr<const BlockSamples>> collectSamples(const nn::Model& model, const measure::SampleSource& source, std::size_t count,
                                                                std::span<const int> blocks, const RunContext& context)
{
    const std::size_t taken = std::min(count, source.count());
    if (taken == 0)
        throw Error(ErrorCode::InvalidParameter, "found no sample, expected one at least", source.description());
    std::vector<std::shared_ptr<BlockSamples>> collected(model.blocks().size());
    for (std::size_t block = 0; block < collected.size(); ++block)
        if (blocks.empty() || std::ranges::find(blocks, static_cast<int>(block)) != blocks.end())
            collected[block] = std::make_shared<BlockSamples>();
    Collector collector(collected, context);
    nn::Scratch scratch(true, RunContext(context.stopToken()));
    measure::LoadedSample sample;
    context.setParts(static_cast<double>(taken));
    for (std::size_t i = 0; i < taken; ++i) {
        const RunContext part = context.part(1, "collecting queries and keys");
        measure::loadChecked(source, i, model, sample);
        measure::observe(model, sample, scratch, collector);
    }
    return {collected.begin(), collected.end()};
}

} // namespace tamis::attention
