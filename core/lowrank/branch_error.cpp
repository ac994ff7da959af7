// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/branch_error.h"

#include "core/lowrank/attention_errors.h"

#include <algorithm>

namespace tamis::lowrank {
namespace {
using tensor::Matrix;

/// The output projection of the mixed values.
Matrix<float> written(const nn::Block& block, const nn::AttentionInput& input, nn::Scratch& scratch)
{
    Matrix<float> mixed(input.q.rows, input.q.cols), out(input.q.rows, block.output.op->outFeatures());
    block.attention->apply(input, mixed.view(), scratch);
    block.output.op->apply(mixed.view(), {}, out.view(), scratch);
    return out;
}

double squaredDifference(const Matrix<float>& a, const Matrix<float>& b)
{
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const double d = double(a.values()[i]) - double(b.values()[i]);
        sum += d * d;
    }
    return sum;
}

/// Sums for the energy about the mean.
struct Moments {
    std::vector<double> sum;
    double squares = 0;
    std::int64_t tokens = 0;
    void add(const Matrix<float>& rows)
    {
        sum.resize(static_cast<std::size_t>(rows.cols()));
        tokens += rows.rows();
        for (std::int64_t t = 0; t < rows.rows(); ++t)
            for (std::int64_t j = 0; j < rows.cols(); ++j) {
                const double y = rows(t, j);
                sum[static_cast<std::size_t>(j)] += y;
                squares += y * y;
            }
    }
    double aboutMean() const
    {
        double energy = squares;
        for (const double s : sum)
            energy -= s * s / static_cast<double>(tokens);
        return std::max(energy, 0.0);
    }
};
} // namespace

std::vector<std::size_t> evenlySpread(std::size_t available, std::size_t count)
{
    std::vector<std::size_t> chosen;
    count = std::min(count, available);
    for (std::size_t i = 0; i < count; ++i)
        chosen.push_back(i * available / count);
    return chosen;
}

std::vector<BranchError> branchErrors(const Inputs& inputs, std::shared_ptr<const nn::Model> compressed, const std::vector<int>& layers, std::size_t count,
                                      const RunContext& context)
{
    std::vector<BranchError> errors;
    for (const int layer : layers)
        errors.push_back({.layer = layer});
    std::vector<Moments> moments(layers.size());
    nn::Scratch scratch(true, context);
    const auto chosen = evenlySpread(inputs.samples->count(), count);
    context.setParts(static_cast<double>(std::max<std::size_t>(1, chosen.size())));
    for (const std::size_t index : chosen) {
        const RunContext part = context.part(1, inputs.samples->name(index));
        measure::LoadedSample sample;
        inputs.samples->load(index, sample);
        const auto dense = runSample(inputs.model, sample, part);
        for (std::size_t at = 0; at < layers.size(); ++at) {
            part.throwIfStopped();
            const auto b = static_cast<std::size_t>(layers[at]);
            const BlockRun own = runBlockOn(*compressed, *dense, layers[at], part);
            const nn::AttentionInput exact = dense->attention[b].input(), now = own.attention.input();
            nn::AttentionInput mixed = exact; // the dense weights over the new values
            mixed.v = now.v;
            mixed.paddingValue = now.paddingValue;
            const Matrix<float> reference = written(inputs.model->blocks()[b], exact, scratch);
            moments[at].add(reference);
            errors[at].values += squaredDifference(reference, written(compressed->blocks()[b], mixed, scratch));
            errors[at].total += squaredDifference(reference, written(compressed->blocks()[b], now, scratch));
        }
        part.finish();
    }
    for (std::size_t at = 0; at < layers.size(); ++at)
        errors[at].energy = moments[at].aboutMean();
    return errors;
}

} // namespace tamis::lowrank
