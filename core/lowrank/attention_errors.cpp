// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/attention_errors.h"

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/linalg/gemm.h"
#include "core/measure/forward.h"

#include <algorithm>
#include <cmath>

namespace tamis::lowrank {
namespace {
using tensor::Matrix;

Matrix<float> copied(kernels::ConstRows x)
{
    Matrix<float> copy(x.rows, x.cols);
    for (std::int64_t i = 0; i < x.rows; ++i)
        std::ranges::copy(x.row(i), copy.data() + i * x.cols);
    return copy;
}

class Recorder : public measure::RunRecorder {
public:
    Recorder(const RunContext& context, SampleRun& run) : RunRecorder(context, run), m_run(run) {}
    void attentionInput(std::size_t, int block, const nn::Block& layer, const nn::AttentionInput& input) override
    {
        m_run.attention.at(static_cast<std::size_t>(block)) = AttentionCopy(layer, input);
    }

private:
    SampleRun& m_run;
};

class OneAttention : public measure::StoppingObserver {
public:
    OneAttention(const RunContext& context, AttentionCopy& copy) : StoppingObserver(context), m_copy(copy) {}
    void attentionInput(std::size_t, int, const nn::Block& layer, const nn::AttentionInput& input) override { m_copy = AttentionCopy(layer, input); }

private:
    AttentionCopy& m_copy;
};

/// Columns [first, first + count) in double.
Matrix<double> columnsOf(kernels::ConstRows x, std::int64_t first, std::int64_t count)
{
    return linalg::toDouble({x.data + first, x.rows, count, x.stride});
}

/// S = scale q k^T of one head; pairs that may not see one another are 0.
Matrix<double> scoresOf(const AttentionCopy& side, std::int64_t head)
{
    const nn::AttentionSpec& spec = side.block->spec.attention;
    const nn::AttentionInput input = side.input();
    const std::int64_t group = head / (spec.heads / spec.keyValueHeads);
    Matrix<double> s(input.q.rows, input.k.rows);
    linalg::gemm(linalg::Op::None, linalg::Op::Transpose, static_cast<double>(spec.scale), columnsOf(input.q, head * spec.headDim, spec.headDim).view(),
                 columnsOf(input.k, group * spec.headDim, spec.headDim).view(), 0, s.view());
    if (spec.causal)
        for (std::int64_t i = 0; i < s.rows(); ++i)
            for (std::int64_t j = 0; j < s.cols(); ++j)
                if (j > i || (spec.slidingWindow > 0 && j <= i - spec.slidingWindow))
                    s(i, j) = 0;
    return s;
}

struct Side {
    const AttentionCopy* attention = nullptr;
    Matrix<float> mixed;  ///< [tokens, heads headDim]: the attention's output
    Matrix<float> output; ///< the projection's weight, [width, heads headDim]
};

Side sideOf(const AttentionCopy& attention, const RunContext& context)
{
    Side side{.attention = &attention, .mixed = {}, .output = attention.block->output.op->dense()};
    const nn::AttentionInput input = attention.input();
    side.mixed = Matrix<float>(input.q.rows, input.q.cols);
    nn::Scratch scratch(true, context);
    attention.block->attention->apply(input, side.mixed.view(), scratch);
    return side;
}

/// The head's share of the projection's output, [tokens, width].
Matrix<double> contribution(const Side& side, std::int64_t head)
{
    const std::int64_t dim = side.attention->block->attention->headDim();
    return linalg::product(linalg::Op::None, linalg::Op::Transpose, columnsOf(side.mixed.view(), head * dim, dim).view(),
                           columnsOf(side.output.view(), head * dim, dim).view());
}

double relativeDifference(const Matrix<double>& exact, const Matrix<double>& other)
{
    double difference = 0, energy = 0;
    for (std::size_t i = 0; i < exact.size(); ++i) {
        const double a = exact.data()[i], d = a - other.data()[i];
        difference += d * d;
        energy += a * a;
    }
    return energy > 0 ? std::sqrt(difference / energy) : (difference > 0 ? INFINITY : 0.0);
}

void requireSameTokens(const AttentionCopy& exact, const AttentionCopy& other)
{
    const auto& a = *exact.block->attention;
    const auto& b = *other.block->attention;
    if (a.heads() != b.heads() || exact.input().q.rows != other.input().q.rows || exact.input().q.cols != other.input().q.cols)
        throw Error(ErrorCode::InvalidParameter, "the attentions have " + std::to_string(a.heads()) + " heads over " + std::to_string(exact.input().q.rows) +
                                                     " tokens and " + std::to_string(b.heads()) + " over " + std::to_string(other.input().q.rows) +
                                                     ", expected the same, so their maps cannot be compared");
}
} // namespace

AttentionCopy::AttentionCopy(const nn::Block& of, const nn::AttentionInput& input)
    : block(&of), m_q(copied(input.q)), m_k(copied(input.k)), m_v(copied(input.v)), m_paddingQuery(input.paddingQuery), m_paddingKey(input.paddingKey),
      m_paddingValue(input.paddingValue)
{
}

nn::AttentionInput AttentionCopy::input() const { return {m_q.view(), m_k.view(), m_v.view(), m_paddingQuery, m_paddingKey, m_paddingValue}; }

std::shared_ptr<const SampleRun> runSample(std::shared_ptr<const nn::Model> model, const measure::LoadedSample& sample, const RunContext& context)
{
    auto run = std::make_shared<SampleRun>();
    run->model = std::move(model);
    run->attention.resize(run->model->blocks().size());
    Recorder recorder(context, *run);
    measure::recordRun(*run, sample, recorder, context);
    return run;
}

BlockRun runBlockOn(const nn::Model& model, const SampleRun& dense, int block, const RunContext& context)
{
    BlockRun made;
    made.output = dense.blockInputs.at(static_cast<std::size_t>(block));
    nn::Scratch scratch(true, context);
    OneAttention observer(context, made.attention);
    model.runBlock(block, made.output.view(), scratch, 0, &observer);
    return made;
}

double meanTotalVariation(const Matrix<float>& p, const Matrix<float>& q)
{
    double sum = 0;
    for (std::size_t i = 0; i < p.size(); ++i)
        sum += std::abs(static_cast<double>(p.data()[i]) - static_cast<double>(q.data()[i]));
    return p.rows() > 0 ? sum / 2 / static_cast<double>(p.rows()) : 0;
}

std::vector<std::vector<report::MapErrors>> headErrors(const AttentionCopy& exact, std::span<const AttentionCopy* const> others,
                                                       std::int64_t firstHead, std::int64_t count, const RunContext& context)
{
    const auto& attention = *exact.block->attention;
    const std::int64_t tokens = exact.input().q.rows, maps = attention.maps(tokens);
    const std::int64_t heads = count < 0 ? attention.heads() - firstHead : count;
    std::vector<std::vector<report::MapErrors>> errors(others.size(), std::vector<report::MapErrors>(static_cast<std::size_t>(heads)));
    const Side reference = sideOf(exact, context);
    std::vector<Side> sides;
    for (const AttentionCopy* other : others) {
        requireSameTokens(exact, *other);
        sides.push_back(sideOf(*other, context));
    }
    const bool scored = attention.kind() == "exact";
    parallelFor(context, static_cast<std::size_t>(heads), [&](std::size_t index) {
        const std::int64_t head = firstHead + static_cast<std::int64_t>(index);
        for (std::int64_t map = 0; map < maps; ++map) {
            context.throwIfStopped();
            const Matrix<float> p = attention.map(exact.input(), head, map, context);
            for (std::size_t o = 0; o < others.size(); ++o) {
                double& mean = errors[o][index].map;
                mean = (map == 0 ? 0.0 : mean) + meanTotalVariation(p, others[o]->block->attention->map(others[o]->input(), head, map, context)) / static_cast<double>(maps);
            }
        }
        const Matrix<double> s = scored ? scoresOf(exact, head) : Matrix<double>();
        const Matrix<double> share = contribution(reference, head);
        for (std::size_t o = 0; o < others.size(); ++o) {
            context.throwIfStopped();
            if (scored && others[o]->block->attention->kind() == "exact")
                errors[o][index].logit = relativeDifference(s, scoresOf(*others[o], head));
            errors[o][index].output = relativeDifference(share, contribution(sides[o], head));
        }
    });
    return errors;
}

} // namespace tamis::lowrank
