// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/trainer.h"

#include "core/base/error.h"
#include "core/train/counter_random.h"

#include <cmath>
#include <numeric>
#include <string>

namespace tamis::train {

template <class T>
std::vector<TrainingStep> train(ParameterSet<T>& parameters, const TrainingSettings& settings, const BuildLoss<T>& build, const RunContext& context,
                                const std::function<void(const TrainingStep&)>& observe)
{
    require(settings.schedule.total > 0 && settings.accumulate > 0, "train", "the number of steps and of losses a step must be positive");
    Optimiser<T> optimiser(parameters, settings.optimiser);
    Tape<T> tape(context);
    std::vector<TrainingStep> history;
    for (std::int64_t step = 0; step < settings.schedule.total; ++step) {
        context.throwIfStopped();
        parameters.zeroGradients();
        TrainingStep report{.step = step, .learningRate = settings.schedule.at(step)};
        for (std::int64_t part = 0; part < settings.accumulate; ++part) {
            tape.reset();
            const Variable<T> loss = build(tape, step, part);
            report.loss += static_cast<double>(tape.scalar(loss)) / static_cast<double>(settings.accumulate);
            if (!std::isfinite(report.loss))
                throw Error(ErrorCode::NonFinite, "the loss of step " + std::to_string(step) + " is not a number, expected a finite one: a smaller learning rate may help", "train");
            tape.backward(loss, T{1} / static_cast<T>(settings.accumulate));
        }
        report.gradientNorm = clipGradients(parameters, settings.clipNorm, context);
        if (!std::isfinite(report.gradientNorm))
            throw Error(ErrorCode::NonFinite, "the gradients of step " + std::to_string(step) + " are not finite", "train");
        optimiser.step(report.learningRate, context);
        history.push_back(report);
        if (observe)
            observe(report);
        context.setFraction(static_cast<double>(step + 1) / static_cast<double>(settings.schedule.total));
        if (settings.enough && settings.enough())
            break;
    }
    return history;
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

} // namespace tamis::train
