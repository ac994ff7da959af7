// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/row_sums.h"

#include "core/base/error.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

namespace tamis::tokens {
namespace {
class SumsObserver final : public nn::Observer {
public:
    explicit SumsObserver(const RunContext& context) : m_context(context) {}
    void attentionInput(std::size_t, int block, const nn::Block& layer, const nn::AttentionInput& input) override
    {
        const std::int64_t heads = layer.attention->heads(), tokens = input.q.rows;
        if (layer.attention->maps(tokens) != 1)
            throw Error(ErrorCode::UnsupportedFeature, "found attention within windows, expected one map of all tokens for each head", "block " + std::to_string(block));
        AttentionSums sums;
        double least = std::numeric_limits<double>::infinity(), most = -least; // a row may be 1 on neither side
        std::vector<double> received(static_cast<std::size_t>(tokens));
        for (std::int64_t head = 0; head < heads; ++head) {
            m_context.throwIfStopped();
            const tensor::Matrix<float> map = layer.attention->map(input, head, 0, m_context);
            for (std::int64_t i = 0; i < tokens; ++i) {
                double sum = 0;
                const auto row = map.view().row(i);
                for (std::size_t j = 0; j < row.size(); ++j) {
                    sum += static_cast<double>(row[j]);
                    received[j] += static_cast<double>(row[j]) / static_cast<double>(heads * tokens);
                }
                least = std::min(least, sum);
                most = std::max(most, sum);
            }
        }
        sums.leastRowSum = least;
        sums.mostRowSum = most;
        sums.leastReceived = std::ranges::min(received);
        sums.mostReceived = std::ranges::max(received);
        blocks.push_back(sums);
    }
    std::vector<AttentionSums> blocks;

private:
    const RunContext& m_context;
};
} // namespace

double AttentionSums::furthestRowSum() const { return std::max(std::abs(leastRowSum - 1), std::abs(mostRowSum - 1)); }

report::AttentionRange rangeOf(std::span<const AttentionSums> blocks)
{
    const AttentionSums& first = blocks.front();
    report::AttentionRange range{first.leastRowSum, first.mostRowSum, first.leastReceived, first.mostReceived};
    for (const AttentionSums& block : blocks) {
        range.leastRow = std::min(range.leastRow, block.leastRowSum);
        range.mostRow = std::max(range.mostRow, block.mostRowSum);
        range.leastReceived = std::min(range.leastReceived, block.leastReceived);
        range.mostReceived = std::max(range.mostReceived, block.mostReceived);
    }
    return range;
}

std::vector<AttentionSums> attentionSums(const nn::Model& model, const nn::Sample& sample, nn::Scratch& scratch)
{
    model.check(sample);
    tensor::Matrix<float> output(model.outputRows(sample), model.outputWidth());
    SumsObserver observer(scratch.context());
    model.run(sample, output.view(), scratch, 0, &observer);
    return std::move(observer.blocks);
}

} // namespace tamis::tokens
