// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/head_errors.h"

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/measure/forward.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace tamis::attention {
namespace {
using tensor::Matrix;

class Comparison final : public measure::StoppingObserver {
public:
    Comparison(const BlockOperators& operators, HeadMeasurement& measurement, const RunContext& context) : StoppingObserver(context), m_operators(operators), m_measurement(measurement) {}
    void attentionInput(std::size_t, int block, const nn::Block& layer, const nn::AttentionInput& input) override
    {
        if (m_operators[static_cast<std::size_t>(block)])
            m_measurement.add(block, *layer.attention, input, context());
    }

private:
    const BlockOperators& m_operators;
    HeadMeasurement& m_measurement;
};

tensor::MatrixView<const float> columns(const Matrix<float>& x, std::int64_t first, std::int64_t count) { return {x.data() + first, x.rows(), count, x.cols()}; }
} // namespace

Matrix<float> mixedValues(const nn::AttentionOp& op, const nn::AttentionInput& input, bool parallel, const RunContext& context)
{
    Matrix<float> out(input.q.rows, input.q.cols);
    nn::Scratch scratch(parallel, RunContext(context.stopToken()));
    op.apply(input, out.view(), scratch);
    return out;
}

void HeadErrorSum::addMaps(tensor::MatrixView<const float> exact, tensor::MatrixView<const float> other)
{
    constexpr std::int64_t kLanes = 8; // sums side by side: one after another, each addition waits for the one before
    double parts[kLanes] = {}, total = 0;
    for (std::int64_t i = 0; i < exact.rows; ++i) {
        const float *a = exact.row(i).data(), *b = other.row(i).data();
        std::int64_t j = 0;
        for (; j + kLanes <= exact.cols; j += kLanes)
            for (std::int64_t lane = 0; lane < kLanes; ++lane)
                parts[lane] += std::abs(static_cast<double>(a[j + lane]) - static_cast<double>(b[j + lane]));
        for (; j < exact.cols; ++j)
            parts[0] += std::abs(static_cast<double>(a[j]) - static_cast<double>(b[j]));
    }
    for (const double part : parts)
        total += part;
    m_variation += 0.5 * total;
    m_queries += exact.rows;
}

void HeadErrorSum::addOutputs(tensor::MatrixView<const float> exact, tensor::MatrixView<const float> other)
{
    for (std::int64_t i = 0; i < exact.rows; ++i)
        for (std::int64_t j = 0; j < exact.cols; ++j) {
            const auto a = static_cast<double>(exact(i, j)), b = static_cast<double>(other(i, j));
            m_difference += (a - b) * (a - b);
            m_exact += a * a;
            m_other += b * b;
            m_product += a * b;
        }
}

HeadError HeadErrorSum::error(int layer, std::int64_t head) const
{
    return {layer, head, m_queries > 0 ? m_variation / static_cast<double>(m_queries) : report::kNotMeasured, outputError(),
            m_exact > 0 && m_other > 0 ? m_product / std::sqrt(m_exact * m_other) : report::kNotMeasured};
}

double HeadErrorSum::outputError() const { return m_exact > 0 ? std::sqrt(m_difference / m_exact) : report::kNotMeasured; }

HeadMeasurement::HeadMeasurement(const nn::ModelSpec& spec, std::vector<const BlockOperators*> sets, bool traits) : m_spec(spec), m_sets(std::move(sets)), m_traits(traits)
{
    for (const nn::BlockSpec& block : spec.blocks)
        m_heads.emplace_back(static_cast<std::size_t>(block.attention.heads), Head{std::vector<HeadErrorSum>(m_sets.size()), {}, 0});
}

void HeadMeasurement::addHead(int block, std::int64_t head, const nn::AttentionOp& exact, const nn::AttentionInput& input, const Shared& shared, const RunContext& context)
{
    Head& own = m_heads[static_cast<std::size_t>(block)][static_cast<std::size_t>(head)];
    const Matrix<float> p = exact.map(input, head, 0, context);
    if (m_traits)
        addTraits(own.traits, headTraits(p.view(), placesOf(m_spec, block, p.rows()), true, RunContext(context.stopToken())), own.samples);
    ++own.samples;
    for (std::size_t set = 0; set < m_sets.size(); ++set)
        if (const nn::AttentionPtr& op = (*m_sets[set])[static_cast<std::size_t>(block)]) {
            context.throwIfStopped();
            own.sums[set].addMaps(p.view(), (shared[set] ? shared[set]->map(head, context) : op->map(input, head, 0, context)).view());
        }
}

void HeadMeasurement::add(int block, const nn::AttentionOp& exact, const nn::AttentionInput& input, const RunContext& context)
{
    context.throwIfStopped();
    const std::int64_t dim = exact.headDim(), heads = exact.heads();
    const Matrix<float> reference = mixedValues(exact, input, true, context);
    Shared shared(m_sets.size());
    for (std::size_t set = 0; set < m_sets.size(); ++set)
        if (const nn::AttentionPtr& op = (*m_sets[set])[static_cast<std::size_t>(block)]) {
            const Matrix<float> other = mixedValues(*op, input, true, context);
            if (const auto* reader = dynamic_cast<const SharedReader*>(op.get()))
                shared[set] = reader->headMaps(input, context);
            for (std::int64_t head = 0; head < heads; ++head)
                m_heads[static_cast<std::size_t>(block)][static_cast<std::size_t>(head)].sums[set].addOutputs(columns(reference, head * dim, dim), columns(other, head * dim, dim));
        }
    parallelFor(RunContext(context.stopToken()), static_cast<std::size_t>(heads), [&](std::size_t head) { addHead(block, static_cast<std::int64_t>(head), exact, input, shared, context); });
}

std::vector<HeadError> HeadMeasurement::errors(std::size_t set) const
{
    std::vector<HeadError> all;
    for (std::size_t block = 0; block < m_heads.size(); ++block)
        for (std::size_t head = 0; head < m_heads[block].size(); ++head)
            if ((*m_sets[set])[block] && m_heads[block][head].samples > 0)
                all.push_back(m_heads[block][head].sums[set].error(static_cast<int>(block), static_cast<std::int64_t>(head)));
    return all;
}

std::vector<report::HeadTraits> HeadMeasurement::traits() const
{
    std::vector<report::HeadTraits> all;
    for (const auto& block : m_heads)
        for (const Head& head : block)
            all.push_back(head.traits);
    return all;
}

std::vector<HeadError> headErrors(const nn::Model& model, const BlockOperators& operators, const measure::SampleSource& source, std::size_t samples, const RunContext& context)
{
    const std::size_t count = std::min(samples, source.count());
    if (count == 0)
        throw Error(ErrorCode::InvalidParameter, "found no sample, expected one at least", source.description());
    HeadMeasurement measurement(model.spec(), {&operators}, false);
    Comparison comparison(operators, measurement, context);
    nn::Scratch scratch(true, RunContext(context.stopToken()));
    measure::LoadedSample sample;
    context.setParts(static_cast<double>(count));
    for (std::size_t i = 0; i < count; ++i) {
        const RunContext part = context.part(1, "comparing maps");
        measure::loadChecked(source, i, model, sample);
        measure::observe(model, sample, scratch, comparison);
        part.finish();
    }
    return measurement.errors(0);
}

} // namespace tamis::attention
