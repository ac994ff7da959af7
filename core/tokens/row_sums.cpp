// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/row_sums.h"

#include "core/base/error.h"

#include <algorithm>
#include <cmath>
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
        std::vector<double> received(static_cast<std::size_t>(tokens));
        for (std::int64_t head = 0; head < heads; ++head) {
            m_context.throwIfStopped();
            const tensor::Matrix<float> map = layer.attention->map(input, head, 0);
            for (std::int64_t i = 0; i < tokens; ++i) {
                double sum = 0;
                const auto row = map.view().row(i);
                for (std::size_t j = 0; j < row.size(); ++j) {
                    sum += static_cast<double>(row[j]);
                    received[j] += static_cast<double>(row[j]) / static_cast<double>(heads * tokens);
                }
                sums.furthestRowSum = std::max(sums.furthestRowSum, std::abs(sum - 1));
            }
        }
        const auto [least, most] = std::ranges::minmax(received);
        sums.leastReceived = least;
        sums.mostReceived = most;
        blocks.push_back(sums);
    }
    std::vector<AttentionSums> blocks;

private:
    const RunContext& m_context;
};
} // namespace

std::vector<AttentionSums> attentionSums(const nn::Model& model, const nn::Sample& sample, nn::Scratch& scratch)
{
    model.check(sample);
    tensor::Matrix<float> output(model.outputRows(sample), model.outputWidth());
    SumsObserver observer(scratch.context());
    model.run(sample, output.view(), scratch, 0, &observer);
    return std::move(observer.blocks);
}

} // namespace tamis::tokens
