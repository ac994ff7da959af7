// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/trainer.h"

#include "core/base/error.h"
#include "core/train/counter_random.h"

#include <cmath>
#include <deque>
#include <limits>
#include <numeric>
#include <string>

namespace tamis::train {

namespace {
/// Scales the gradients of all sets so that their common norm is at most `maximum`; the norm before.
template <class T> double clipTogether(const std::vector<ParameterSet<T>*>& sets, double maximum, const RunContext& context)
{
    if (sets.size() == 1)
        return clipGradients(*sets.front(), maximum, context);
    constexpr double kMeasure = std::numeric_limits<double>::infinity();
    std::vector<double> norms;
    for (ParameterSet<T>* set : sets)
        norms.push_back(clipGradients(*set, kMeasure, context));
    double squares = 0;
    for (const double norm : norms)
        squares += norm * norm;
    const double norm = std::sqrt(squares), factor = maximum / (norm + 1e-6);
    if (factor < 1)
        for (std::size_t i = 0; i < sets.size(); ++i)
            clipGradients(*sets[i], factor * (norms[i] + 1e-6), context); // scales by just this factor
    return norm;
}
} // namespace

template <class T>
std::vector<TrainingStep> train(const std::vector<ParameterSet<T>*>& sets, const TrainingSettings& settings, const BuildLoss<T>& build, const RunContext& context,
                                const std::function<void(const TrainingStep&)>& observe)
{
    require(settings.schedule.total > 0 && settings.accumulate > 0, "train", "the number of steps and of losses a step must be positive");
    std::deque<Optimiser<T>> optimisers;
    for (ParameterSet<T>* set : sets)
        optimisers.emplace_back(*set, settings.optimiser);
    Tape<T> tape(context);
    std::vector<TrainingStep> history;
    for (std::int64_t step = 0; step < settings.schedule.total; ++step) {
        context.throwIfStopped();
        for (ParameterSet<T>* set : sets)
            set->zeroGradients();
        TrainingStep report{.step = step, .learningRate = settings.schedule.at(step)};
        for (std::int64_t part = 0; part < settings.accumulate; ++part) {
            tape.reset();
            const Variable<T> loss = build(tape, step, part);
            report.loss += static_cast<double>(tape.scalar(loss)) / static_cast<double>(settings.accumulate);
            if (!std::isfinite(report.loss))
                throw Error(ErrorCode::NonFinite, "the loss of step " + std::to_string(step) + " is not a number, expected a finite one: a smaller learning rate may help", "train");
            tape.backward(loss, T{1} / static_cast<T>(settings.accumulate));
        }
        report.gradientNorm = clipTogether(sets, settings.clipNorm, context);
        if (!std::isfinite(report.gradientNorm))
            throw Error(ErrorCode::NonFinite, "the gradients of step " + std::to_string(step) + " are not finite", "train");
        context.throwIfStopped();
        for (Optimiser<T>& optimiser : optimisers)
            optimiser.step(report.learningRate); // none is stopped once the first was taken: never half a step
        history.push_back(report);
        if (observe)
            observe(report);
        context.setFraction(static_cast<double>(step + 1) / static_cast<double>(settings.schedule.total));
        if (settings.enough && settings.enough())
            break;
    }
    return history;
}

template <class T>
std::vector<TrainingStep> train(ParameterSet<T>& parameters, const TrainingSettings& settings, const BuildLoss<T>& build, const RunContext& context,
                                const std::function<void(const TrainingStep&)>& observe)
{
    return train<T>(std::vector<ParameterSet<T>*>{&parameters}, settings, build, context, observe);
}

SampleOrder::SampleOrder(std::int64_t samples, std::uint64_t seed) : m_seed(seed)
{
    require(samples > 0, "samples", "there is no sample to visit");
    m_order.resize(static_cast<std::size_t>(samples));
}

void SampleOrder::shuffle(std::int64_t epoch)
{
    m_epoch = epoch;
    std::iota(m_order.begin(), m_order.end(), std::int64_t{0});
    const std::uint64_t seed = m_seed + 0x9E3779B97F4A7C15ULL * static_cast<std::uint64_t>(epoch + 1);
    for (std::size_t i = m_order.size() - 1; i > 0; --i) // Fisher, Yates
        std::swap(m_order[i], m_order[static_cast<std::size_t>(uniformAt(seed, i) * static_cast<double>(i + 1))]);
}

std::int64_t SampleOrder::at(std::int64_t position)
{
    const auto samples = static_cast<std::int64_t>(m_order.size());
    if (position / samples != m_epoch)
        shuffle(position / samples);
    return m_order[static_cast<std::size_t>(position % samples)];
}

template std::vector<TrainingStep> train<float>(ParameterSet<float>&, const TrainingSettings&, const BuildLoss<float>&, const RunContext&,
                                                const std::function<void(const TrainingStep&)>&);
template std::vector<TrainingStep> train<double>(ParameterSet<double>&, const TrainingSettings&, const BuildLoss<double>&, const RunContext&,
                                                 const std::function<void(const TrainingStep&)>&);

template std::vector<TrainingStep> train<float>(const std::vector<ParameterSet<float>*>&, const TrainingSettings&, const BuildLoss<float>&, const RunContext&,
                                                const std::function<void(const TrainingStep&)>&);
template std::vector<TrainingStep> train<double>(const std::vector<ParameterSet<double>*>&, const TrainingSettings&, const BuildLoss<double>&, const RunContext&,
                                                 const std::function<void(const TrainingStep&)>&);

} // namespace tamis::train
