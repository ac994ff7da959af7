// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/head_errors.h"

#include "core/base/error.h"
#include "core/measure/forward.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace tamis::attention {
namespace {
struct Sums {
    double variation = 0, difference = 0, exact = 0, other = 0, product = 0;
    std::int64_t queries = 0;
};

class Comparison final : public measure::StoppingObserver {
public:
    Comparison(const BlockOperators& operators, std::vector<std::vector<Sums>>& sums, const RunContext& context) : StoppingObserver(context), m_operators(operators), m_sums(sums) {}
    void attentionInput(std::size_t, int block, const nn::Block& layer, const nn::AttentionInput& input) override
    {
        context().throwIfStopped();
        const nn::AttentionPtr& op = m_operators[static_cast<std::size_t>(block)];
        if (!op)
            return;
        std::vector<Sums>& heads = m_sums[static_cast<std::size_t>(block)];
        heads.resize(static_cast<std::size_t>(op->heads()));
        for (std::int64_t head = 0; head < op->heads(); ++head) {
            context().throwIfStopped();
            addMaps(layer.attention->map(input, head, 0), op->map(input, head, 0), heads[static_cast<std::size_t>(head)]);
        }
        tensor::Matrix<float> exact(input.q.rows, input.q.cols), other(input.q.rows, input.q.cols);
        nn::Scratch scratch(true, RunContext(context().stopToken()));
        layer.attention->apply(input, exact.view(), scratch);
        op->apply(input, other.view(), scratch);
        for (std::int64_t i = 0; i < exact.rows(); ++i)
            for (std::int64_t j = 0; j < exact.cols(); ++j) {
                Sums& sums = heads[static_cast<std::size_t>(j / op->headDim())];
                const auto a = static_cast<double>(exact(i, j)), b = static_cast<double>(other(i, j));
                sums.difference += (a - b) * (a - b);
                sums.exact += a * a;
                sums.other += b * b;
                sums.product += a * b;
            }
    }

private:
    static void addMaps(const tensor::Matrix<float>& exact, const tensor::Matrix<float>& other, Sums& sums)
    {
        double total = 0;
        for (std::size_t i = 0; i < exact.size(); ++i)
            total += std::abs(static_cast<double>(exact.data()[i]) - static_cast<double>(other.data()[i]));
        sums.variation += 0.5 * total;
        sums.queries += exact.rows();
    }
    const BlockOperators& m_operators;
    std::vector<std::vector<Sums>>& m_sums;
};
} // namespace

std::vector<HeadError> headErrors(const nn::Model& model, const BlockOperators& operators, const measure::SampleSource& source, std::size_t samples, const RunContext& context)
{
    const std::size_t count = std::min(samples, source.count());
    if (count == 0)
        throw Error(ErrorCode::InvalidParameter, "found no sample, expected one at least", source.description());
    std::vector<std::vector<Sums>> sums(operators.size());
    Comparison comparison(operators, sums, context);
    nn::Scratch scratch(true, RunContext(context.stopToken()));
    measure::LoadedSample sample;
    context.setParts(static_cast<double>(count));
    for (std::size_t i = 0; i < count; ++i) {
        const RunContext part = context.part(1, "comparing maps");
        measure::loadChecked(source, i, model, sample);
        measure::observe(model, sample, scratch, comparison);
    }
    std::vector<HeadError> errors;
    for (std::size_t block = 0; block < sums.size(); ++block)
        for (std::size_t head = 0; head < sums[block].size(); ++head) {
            const Sums& s = sums[block][head];
            errors.push_back({static_cast<int>(block), static_cast<std::int64_t>(head), s.variation / static_cast<double>(s.queries),
                              s.exact > 0 ? std::sqrt(s.difference / s.exact) : report::kNotMeasured,
                              s.exact > 0 && s.other > 0 ? s.product / std::sqrt(s.exact * s.other) : report::kNotMeasured});
        }
    return errors;
}

} // namespace tamis::attention
