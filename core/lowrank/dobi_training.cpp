// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/dobi_training.h"

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/linalg/gemm.h"
#include "core/measure/even_subset.h"
#include "core/train/linear_ops.h"
#include "core/train/optimiser.h"
#include "core/train/pointwise_ops.h"
#include "core/train/selection_ops.h"
#include "core/train/trainer.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tamis::lowrank {
namespace {
using train::Tape;
using train::Variable;
constexpr std::uint64_t kMostBytes = std::uint64_t{4} << 30; // of kept singular vectors
constexpr std::int64_t kBeyond = 3;                          // gates that far behind the largest useful rank are shut
constexpr double kHalf = 0.5;                                // gates of rank r stand at r + 1/2
constexpr double kSteepness = 0.5, kMostLogit = 4;           // of hard concrete gates at the start

Variable<float> number(Tape<float>& tape, double value)
{
    auto* memory = tape.scratch<float>(1);
    *memory = static_cast<float>(value);
    return tape.constant({memory, 1, 1, 1});
}

/// relu(x)^2
Variable<float> squaredExcess(Variable<float> x)
{
    return train::sumSquares(train::activation(x, kernels::Activation::Relu));
}

Variable<float> sumOf(Variable<float> a, Variable<float> b)
{
    return a ? train::add(a, b) : b;
}

tensor::Matrix<float> firstRows(const tensor::Matrix<double>& m, std::int64_t count)
{
    tensor::Matrix<float> rows(std::min(count, m.rows()), m.cols());
    std::transform(m.data(), m.data() + rows.size(), rows.data(), [](double value) { return static_cast<float>(value); });
    return rows;
}
} // namespace

DobiSettings::DobiSettings(const Parameters& p)
    : samples(static_cast<std::size_t>(p.integer("samples"))), group(p.integer("group")), batch(p.integer("batch")), epochs(p.integer("epochs")),
      learningRate(p.real("learning-rate")), beta(p.real("beta")), budgetWeight(p.real("budget-weight")), errorWeight(p.real("error-weight")),
      perplexity(p.text("loss") == "perplexity"), gate(p.text("gate") == "tanh" ? RankGateKind::Tanh : RankGateKind::HardConcrete),
      backward(p.text("backward") == "exact" ? TruncationBackward::Exact : p.text("backward") == "projection" ? TruncationBackward::Projection : TruncationBackward::Frozen),
      jointScores(p.text("scores") == "joint-planes"), seed(static_cast<std::uint64_t>(p.integer("seed")))
{
}

DobiTraining::DobiTraining(const Inputs& inputs, const std::vector<const io::MatrixRef*>& matrices, const RankBudget& budget, const DobiSettings& settings,
                           std::vector<std::string>& warnings, const RunContext& context)
    : m_settings(settings), m_budget(budget), m_objective(inputs, {.hiddenWeight = settings.errorWeight}, context)
{
    context.setParts(10);
    loadSamples(inputs, warnings, context.part(1, "reading samples"));
    if (settings.jointScores)
        m_planes = DobiPlanes(inputs, matrices, budget, kBeyond, warnings, context);
    const std::vector<std::int64_t> start = budget.uniform();
    for (std::size_t i = 0; i < matrices.size(); ++i) {
        context.throwIfStopped();
        addMatrix(inputs, *matrices[i], start[i] == kStaysDense ? budget.largest(i) : start[i], budget.largest(i));
    }
    collect(context.part(9, "decomposing the dense model's activations"));
}

void DobiTraining::loadSamples(const Inputs& inputs, std::vector<std::string>& warnings, const RunContext& context)
{
    const std::size_t all = inputs.samples->count(), wanted = m_settings.samples == 0 ? all : std::min(all, m_settings.samples);
    std::size_t left = 0;
    for (std::size_t i = 0; i < wanted; ++i) {
        context.throwIfStopped();
        measure::LoadedSample sample;
        inputs.samples->load(wanted < all ? i * all / wanted : i, sample);
        if (!m_samples.empty() && sample.tokens.size() != m_samples.front().tokens.size())
            ++left;
        else
            m_samples.push_back(std::move(sample));
        context.setFraction(static_cast<double>(i + 1) / static_cast<double>(wanted));
    }
    if (left > 0)
        warnings.push_back(std::to_string(left) + " samples are of another length than the first and were left out of the training of ranks.");
    m_groups = m_samples.size() / static_cast<std::size_t>(m_settings.group);
    if (m_groups == 0 || m_settings.batch < m_settings.group)
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(m_samples.size()) + " samples of one length in batches of " + std::to_string(m_settings.batch) +
                                                     ", expected as many as are decomposed together, " + std::to_string(m_settings.group) + ", at least", "lowrank.dobi");
    m_rows = inputs.model->embeddedTokens(m_samples.front().view()) * m_settings.group;
}

void DobiTraining::addMatrix(const Inputs& inputs, const io::MatrixRef& matrix, std::int64_t rank, std::int64_t most)
{
    Gated gated;
    gated.ref = &matrix;
    const tensor::Matrix<double> weight = inputs.checkpoint->readMatrixDouble(matrix);
    gated.weight = firstRows(weight, weight.rows());
    gated.plane = m_planes.find(matrix.name);
    gated.width = gated.plane ? gated.plane->a.rows() : std::min(m_rows, matrix.rows);
    const std::int64_t kept = m_settings.gate == RankGateKind::Tanh ? std::min(gated.width, most + kBeyond) : gated.width;
    const auto bytes = static_cast<std::uint64_t>(kept * matrix.rows) * sizeof(float) * m_groups;
    std::uint64_t sum = bytes;
    for (const Gated& other : m_matrices)
        sum += static_cast<std::uint64_t>(other.width * other.ref->rows) * sizeof(float) * m_groups;
    if (sum > kMostBytes)
        throw Error(ErrorCode::LimitExceeded, "the singular vectors of " + std::to_string(m_groups) + " samples take more than 4 GiB, expected fewer samples", "lowrank.dobi");
    const auto start = static_cast<float>(std::min(rank, gated.width)) + static_cast<float>(kHalf);
    if (m_settings.gate == RankGateKind::Tanh) {
        gated.parameter = &m_parameters.add(matrix.name, {1, 1}, {start}, false);
    } else {
        std::vector<float> logits;
        for (std::int64_t i = 1; i <= gated.width; ++i)
            logits.push_back(std::clamp(static_cast<float>(kSteepness) * (start - static_cast<float>(i)), static_cast<float>(-kMostLogit), static_cast<float>(kMostLogit)));
        gated.parameter = &m_parameters.add(matrix.name, {1, gated.width}, std::move(logits), false);
    }
    m_byName[matrix.name] = m_matrices.size();
    m_matrices.push_back(std::move(gated));
}

std::vector<measure::LoadedSample> DobiTraining::samplesOf(const std::vector<std::size_t>& groups) const
{
    std::vector<measure::LoadedSample> samples;
    const auto group = static_cast<std::size_t>(m_settings.group);
    for (const std::size_t index : groups)
        samples.insert(samples.end(), m_samples.begin() + static_cast<std::ptrdiff_t>(index * group), m_samples.begin() + static_cast<std::ptrdiff_t>((index + 1) * group));
    return samples;
}

void DobiTraining::collect(const RunContext& context)
{
    Tape<float> tape(context);
    for (Gated& gated : m_matrices) {
        gated.vectors.resize(m_groups);
        gated.values.resize(m_groups);
    }
    const auto together = static_cast<std::size_t>(std::max<std::int64_t>(1, m_settings.batch / m_settings.group));
    for (std::size_t first = 0; first < m_groups; first += together) {
        tape.reset();
        std::vector<std::size_t> groups(std::min(together, m_groups - first));
        std::iota(groups.begin(), groups.end(), first);
        const auto replace = [&](const std::string& name, Variable<float> x, Variable<float> bias) {
            const auto found = m_byName.find(name);
            if (found == m_byName.end())
                return Variable<float>{};
            Gated& gated = m_matrices[found->second];
            if (gated.plane)
                return Variable<float>{}; // its directions are those of the plane
            const Variable<float> y = train::linear(x, tape.constant(gated.weight.view()));
            const std::int64_t kept = m_settings.gate == RankGateKind::Tanh ? m_budget.largest(found->second) + kBeyond : gated.width;
            parallelFor(context, groups.size(), [&](std::size_t i) {
                const auto value = y.value();
                const auto rows = linalg::toDouble({value.data + static_cast<std::int64_t>(i) * m_rows * value.stride, m_rows, value.cols, value.stride});
                const train::RowSpace space = train::rowSpace(rows.view());
                gated.vectors[groups[i]] = firstRows(space.v, kept);
                const auto count = static_cast<std::size_t>(gated.vectors[groups[i]].rows());
                gated.values[groups[i]].assign(space.s.begin(), space.s.begin() + static_cast<std::ptrdiff_t>(count));
            });
            return bias ? train::addRow(y, bias) : y;
        };
        const auto samples = samplesOf(groups);
        m_objective.loss(tape, samples, replace);
        context.setFraction(static_cast<double>(first + groups.size()) / static_cast<double>(m_groups));
    }
}

Variable<float> DobiTraining::truncated(Tape<float>& tape, const Gated& gated, Variable<float> x, Variable<float> bias, Variable<float> gates,
                                        const std::vector<std::size_t>& groups) const
{
    if (gated.plane) {
        const Variable<float> latent = train::multiplyRow(train::linear(x, tape.constant(gated.plane->a.view())), gates);
        const Variable<float> y = train::linear(latent, tape.constant(gated.plane->b.view()));
        return bias ? train::addRow(y, bias) : y;
    }
    Variable<float> y = train::linear(x, tape.constant(gated.weight.view()));
    if (m_settings.backward == TruncationBackward::Frozen) {
        std::vector<train::View<const float>> bases;
        for (const std::size_t group : groups)
            bases.push_back(gated.vectors[group].view());
        y = train::projectRows(y, gates, bases);
    } else {
        const bool exact = m_settings.backward == TruncationBackward::Exact;
        y = train::truncateRows(y, gates, m_rows, exact ? train::TruncationGradient::Exact : train::TruncationGradient::Projection);
    }
    return bias ? train::addRow(y, bias) : y; // behind the second factor, whatever was truncated
}

template <class Gates> Variable<float> DobiTraining::lossOf(Tape<float>& tape, const std::vector<std::size_t>& groups, const Gates& gates)
{
    const auto samples = samplesOf(groups);
    return m_objective.loss(tape, samples, [&](const std::string& name, Variable<float> x, Variable<float> bias) {
        const auto found = m_byName.find(name);
        if (found == m_byName.end())
            return Variable<float>{};
        const Variable<float> own = gates(found->second);
        return own ? truncated(tape, m_matrices[found->second], x, bias, own, groups) : Variable<float>{};
    });
}

Variable<float> DobiTraining::gatesOf(Tape<float>& tape, std::size_t matrix, std::uint64_t step) const
{
    const Gated& gated = m_matrices[matrix];
    const Variable<float> parameter = tape.parameter(*gated.parameter);
    if (m_settings.gate == RankGateKind::Tanh)
        return train::rankGate(parameter, gated.width, m_settings.beta);
    return train::hardConcreteGate(parameter, m_settings.seed + 0x9E3779B97F4A7C15ULL * (step * m_matrices.size() + matrix + 1));
}

/// lambda |R - R_target| and the penalties of ranks out of range.
Variable<float> DobiTraining::penalty(Tape<float>& tape, double& share) const
{
    Variable<float> sum, range;
    for (std::size_t i = 0; i < m_matrices.size(); ++i) {
        const Variable<float> parameter = tape.parameter(*m_matrices[i].parameter);
        Variable<float> rank;
        if (m_settings.gate == RankGateKind::Tanh) {
            rank = train::add(parameter, number(tape, -kHalf));
            range = sumOf(range, train::add(squaredExcess(train::subtract(number(tape, 1), rank)),
                                            squaredExcess(train::subtract(rank, number(tape, static_cast<double>(m_budget.largest(i)))))));
        } else {
            rank = train::sumAll(train::hardConcreteOpen(parameter));
        }
        const RankBudget::Share cost = m_budget.share(i);
        sum = sumOf(sum, train::scale(rank, static_cast<float>(cost.linear)));
        if (cost.quadratic != 0.0)
            sum = train::add(sum, train::scale(train::multiplyElements(rank, rank), static_cast<float>(cost.quadratic)));
    }
    share = static_cast<double>(tape.scalar(sum));
    const double sign = share > m_budget.target() ? 1 : -1;
    sum = train::scale(sum, static_cast<float>(sign * m_settings.budgetWeight));
    return sumOf(range, sum);
}

double DobiTraining::step(Tape<float>& tape, const std::vector<std::size_t>& groups, std::uint64_t step, double& share)
{
    tape.reset();
    m_parameters.zeroGradients();
    const Variable<float> task = lossOf(tape, groups, [&](std::size_t i) { return gatesOf(tape, i, step); });
    const auto value = static_cast<double>(tape.scalar(task));
    const double weight = m_settings.perplexity ? std::exp(value) : 1; // exp(CE) has exp(CE) times the gradient
    if (!std::isfinite(value) || !std::isfinite(static_cast<float>(weight)))
        throw Error(ErrorCode::NonFinite, "the loss of step " + std::to_string(step) + " is " + std::to_string(value) + ", expected a finite one: a smaller learning rate may help",
                    "lowrank.dobi");
    const Variable<float> loss = train::add(train::scale(task, static_cast<float>(weight)), penalty(tape, share));
    tape.backward(loss);
    for (const auto& parameter : m_parameters.all())
        for (const float slope : parameter.gradient.values())
            if (!std::isfinite(slope))
                throw Error(ErrorCode::NonFinite, "the gradient of the rank of " + parameter.name + " is no number in step " + std::to_string(step) + ", expected finite ones",
                            "lowrank.dobi");
    return value;
}

std::vector<TrainingEpoch> DobiTraining::train(const RunContext& context)
{
    const auto together = static_cast<std::int64_t>(std::min<std::size_t>(m_groups, static_cast<std::size_t>(m_settings.batch / m_settings.group)));
    const std::int64_t perEpoch = std::max<std::int64_t>(1, static_cast<std::int64_t>(m_groups) / together);
    const train::Schedule schedule{.kind = train::ScheduleKind::Cosine, .peak = m_settings.learningRate, .floor = 0.1 * m_settings.learningRate, .total = perEpoch * m_settings.epochs};
    train::Optimiser<float> optimiser(m_parameters, {.weightDecay = 0});
    train::SampleOrder order(static_cast<std::int64_t>(m_groups), m_settings.seed);
    Tape<float> tape(context);
    std::vector<TrainingEpoch> history;
    for (std::int64_t step = 0; step < schedule.total; ++step) {
        context.throwIfStopped();
        std::vector<std::size_t> groups;
        for (std::int64_t i = 0; i < together; ++i)
            groups.push_back(static_cast<std::size_t>(order.at(step * together + i)));
        if (step % perEpoch == 0)
            history.push_back({});
        history.back().loss += this->step(tape, groups, static_cast<std::uint64_t>(step), history.back().share) / static_cast<double>(perEpoch);
        optimiser.step(schedule.at(step), context);
        context.setFraction(static_cast<double>(step + 1) / static_cast<double>(schedule.total));
    }
    return history;
}

std::vector<double> DobiTraining::ranks() const
{
    std::vector<double> ranks;
    for (const Gated& gated : m_matrices) {
        const auto values = gated.parameter->values.values();
        if (m_settings.gate == RankGateKind::Tanh) {
            ranks.push_back(static_cast<double>(values[0]) - kHalf);
            continue;
        }
        const train::HardConcrete shape;
        double open = 0;
        for (const float logit : values)
            open += 1 / (1 + std::exp(-(static_cast<double>(logit) - shape.temperature * std::log(-shape.low / shape.high))));
        ranks.push_back(open);
    }
    return ranks;
}

std::vector<std::int64_t> DobiTraining::order(const Gated& gated) const
{
    std::vector<std::int64_t> order(static_cast<std::size_t>(gated.width));
    std::iota(order.begin(), order.end(), std::int64_t{0});
    if (m_settings.gate == RankGateKind::HardConcrete)
        std::ranges::stable_sort(order, std::greater(), [&](std::int64_t i) { return gated.parameter->values(0, i); });
    return order;
}

double DobiTraining::taskLoss(const std::vector<std::int64_t>& ranks, const RunContext& context)
{
    std::vector<tensor::Matrix<float>> open;
    for (std::size_t i = 0; i < m_matrices.size(); ++i) {
        open.emplace_back(1, m_matrices[i].width);
        const auto chosen = order(m_matrices[i]);
        for (std::size_t r = 0; r < chosen.size() && r < static_cast<std::size_t>(ranks[i]); ++r)
            open.back()(0, chosen[r]) = 1;
    }
    Tape<float> tape(context);
    const auto together = static_cast<std::size_t>(m_settings.batch / m_settings.group);
    double sum = 0;
    for (std::size_t first = 0; first < m_groups; first += together) {
        tape.reset();
        std::vector<std::size_t> groups(std::min(together, m_groups - first));
        std::iota(groups.begin(), groups.end(), first);
        const auto gates = [&](std::size_t i) { return ranks[i] == kStaysDense ? Variable<float>{} : tape.constant(open[i].view()); };
        sum += static_cast<double>(tape.scalar(lossOf(tape, groups, gates))) * static_cast<double>(groups.size());
        context.setFraction(static_cast<double>(first + groups.size()) / static_cast<double>(m_groups));
    }
    return sum / static_cast<double>(m_groups);
}

std::vector<Subspace> DobiTraining::subspaces(std::size_t matrix, std::int64_t rank) const
{
    const Gated& gated = m_matrices[matrix];
    const auto chosen = order(gated);
    std::vector<Subspace> all;
    for (std::size_t group = 0; group < m_groups; ++group) {
        const auto& vectors = gated.vectors[group];
        std::vector<std::int64_t> rows;
        for (const std::int64_t row : chosen)
            if (row < vectors.rows() && static_cast<std::int64_t>(rows.size()) < rank)
                rows.push_back(row);
        Subspace subspace{tensor::Matrix<double>(static_cast<std::int64_t>(rows.size()), vectors.cols()), {}};
        for (std::size_t i = 0; i < rows.size(); ++i) {
            std::ranges::copy(vectors.view().row(rows[i]), &subspace.vectors(static_cast<std::int64_t>(i), 0));
            subspace.values.push_back(static_cast<double>(gated.values[group][static_cast<std::size_t>(rows[i])]));
        }
        all.push_back(std::move(subspace));
    }
    return all;
}

} // namespace tamis::lowrank
