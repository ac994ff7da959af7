// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/block_influence.h"

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/measure/forward.h"

#include <algorithm>
#include <cmath>

namespace tamis::lowrank {
namespace {

struct CosineSum {
    double sum = 0;
    std::uint64_t tokens = 0;
    bool comparable = true;
};

/// Cosine of two rows; 1 for two zero rows, 0 when one of them is zero.
double cosine(std::span<const float> a, std::span<const float> b)
{
    double product = 0, left = 0, right = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const auto x = static_cast<double>(a[i]), y = static_cast<double>(b[i]);
        product += x * y;
        left += x * x;
        right += y * y;
    }
    return left > 0 && right > 0 ? product / std::sqrt(left * right) : left == right ? 1 : 0;
}

class InfluenceObserver : public measure::StoppingObserver {
public:
    InfluenceObserver(const RunContext& context, std::size_t blocks, tensor::Matrix<float> embedded)
        : StoppingObserver(context), sums(blocks), m_before(std::move(embedded))
    {
    }
    void blockOutput(std::size_t, int block, kernels::ConstRows x) override
    {
        CosineSum& sum = sums[static_cast<std::size_t>(block)];
        if (x.rows == m_before.rows() && x.cols == m_before.cols()) {
            for (std::int64_t i = 0; i < x.rows; ++i)
                sum.sum += cosine(m_before.view().row(i), x.row(i));
            sum.tokens += static_cast<std::uint64_t>(x.rows);
        } else {
            sum.comparable = false;
            m_before = tensor::Matrix<float>(x.rows, x.cols);
        }
        for (std::int64_t i = 0; i < x.rows; ++i)
            std::ranges::copy(x.row(i), m_before.view().row(i).begin());
    }
    std::vector<CosineSum> sums;

private:
    tensor::Matrix<float> m_before;
};

} // namespace

std::vector<std::size_t> evenIndices(std::size_t total, std::size_t count)
{
    count = count == 0 ? total : std::min(count, total);
    std::vector<std::size_t> indices(count);
    for (std::size_t i = 0; i < count; ++i)
        indices[i] = i * total / count;
    return indices;
}

std::vector<report::BlockInfluence> blockInfluence(const nn::Model& model, const measure::SampleSource& source, std::size_t samples,
                                                   const RunContext& context)
{
    const auto indices = evenIndices(source.count(), samples);
    if (indices.empty())
        throw Error(ErrorCode::InvalidParameter, "found no sample, expected at least one", source.description());
    std::vector<std::vector<CosineSum>> each(indices.size());
    measure::ScratchPool pool(false, context);
    parallelFor(context, indices.size(), [&](std::size_t i) {
        measure::LoadedSample sample;
        measure::loadChecked(source, indices[i], model, sample);
        const measure::ScratchPool::Lease scratch(pool);
        tensor::Matrix<float> embedded(model.embeddedTokens(sample.view()), model.blocks().front().spec.width);
        model.embed(sample.view(), embedded.view(), *scratch);
        InfluenceObserver observer(context, model.blocks().size(), std::move(embedded));
        measure::observe(model, sample, *scratch, observer);
        each[i] = std::move(observer.sums);
    });
    std::vector<report::BlockInfluence> influences;
    for (std::size_t b = 0; b < model.blocks().size(); ++b) {
        CosineSum all;
        for (const auto& sums : each) {
            all.sum += sums[b].sum;
            all.tokens += sums[b].tokens;
            all.comparable = all.comparable && sums[b].comparable;
        }
        influences.push_back({static_cast<int>(b), all.comparable && all.tokens > 0 ? 1 - all.sum / static_cast<double>(all.tokens) : report::kNotMeasured});
    }
    context.finish();
    return influences;
}

} // namespace tamis::lowrank
