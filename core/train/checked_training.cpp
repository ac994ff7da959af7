// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/checked_training.h"

#include "core/base/error.h"
#include "core/train/trainer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <limits>
#include <numeric>

namespace tamis::train {
namespace {
using Clock = std::chrono::steady_clock;
constexpr auto kSeenEvery = std::chrono::milliseconds(100);
constexpr std::int64_t kSeenALabel = 4; ///< times that losses are seen, for one new label of the progress
constexpr std::size_t kPoints = 512;    ///< of a loss curve

/// Four digits.
std::string shortText(double value)
{
    std::array<char, 32> text{};
    const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::general, 4);
    return {text.data(), end};
}

/// One training: the loop's builder and observer over shared state.
class Training {
public:
    Training(const std::vector<ParameterSet<float>*>& sets, const CheckedTrainingSettings& settings, const CheckedTask& task, const RunContext& context)
        : m_sets(sets), m_settings(settings), m_task(task), m_context(context), m_order(task.trained, settings.seed + 1), m_batch(std::min(settings.batch, task.trained)),
          m_checkTape(context)
    {
    }

    CheckedTrainingResult run()
    {
        m_result.startLoss = m_result.bestLoss = check();
        if (!std::isfinite(m_result.startLoss))
            throw Error(ErrorCode::NonFinite, "the loss to start from is not a number, expected a finite one", "training");
        keep();
        TrainingSettings loop;
        loop.optimiser.weightDecay = m_settings.weightDecay;
        loop.schedule = {.kind = ScheduleKind::Cosine, .peak = m_settings.learningRate, .floor = 0.0,
                         .warmUp = static_cast<std::int64_t>(m_settings.warmUp * static_cast<double>(m_settings.steps)), .total = m_settings.steps};
        loop.clipNorm = m_settings.clipNorm > 0 ? m_settings.clipNorm : std::numeric_limits<double>::infinity();
        loop.enough = [this] { return m_enough; };
        try {
            train<float>(m_sets, loop, [this](Tape<float>& tape, std::int64_t step, std::int64_t) { return build(tape, step); }, m_context,
                         [this](const TrainingStep& step) { observe(step); });
        } catch (const Error& error) {
            if (error.code() != ErrorCode::NonFinite)
                throw;
            m_result.warnings.push_back("Training ended after " + std::to_string(m_result.steps) + " of " + std::to_string(m_settings.steps) + " steps: " + error.message() + "; " +
                                        m_task.best + " so far, of step " + std::to_string(m_result.bestStep) + ", is kept.");
        }
        std::size_t next = 0;
        forTrained([&](Parameter<float>& parameter) { parameter.values = std::move(m_best[next++]); });
        m_result.losses = drawn();
        if (m_task.seen)
            m_task.seen(m_result.losses);
        return std::move(m_result);
    }

private:
    Variable<float> build(Tape<float>& tape, std::int64_t step)
    {
        std::vector<std::int64_t> places;
        for (std::int64_t i = 0; i < m_batch; ++i)
            places.push_back(m_order.at(step * m_batch + i));
        return m_task.loss(tape, places, step, false);
    }

    void observe(const TrainingStep& step)
    {
        m_result.steps = step.step + 1;
        m_losses.push_back(step.loss);
        const bool last = m_result.steps == m_settings.steps;
        m_enough = m_task.enough && m_task.enough();
        if (m_enough || last || m_result.steps % m_settings.checkEvery == 0)
            look();
        if (Clock::now() - m_seen < kSeenEvery)
            return;
        if (m_seenTimes++ % kSeenALabel == 0) // a part of no weight: what the progress line shows
            (void)m_context.part(0, "training: step " + std::to_string(m_result.steps) + " of " + std::to_string(m_settings.steps) + ", loss " + shortText(step.loss) + ", held out " + shortText(m_result.bestLoss));
        if (m_task.seen)
            m_task.seen(drawn());
        m_seen = Clock::now();
    }

    void look()
    {
        const double loss = check();
        ++m_looksWithoutGain;
        if (loss < m_result.bestLoss) { // false for NaN
            m_result.bestLoss = loss;
            m_result.bestStep = m_result.steps;
            m_looksWithoutGain = 0;
            keep();
        }
        m_enough = m_enough || (m_settings.patience > 0 && m_looksWithoutGain >= m_settings.patience);
    }

    /// Mean loss over the samples kept apart, in batches of the training's size.
    double check()
    {
        double sum = 0;
        std::vector<std::int64_t> all(static_cast<std::size_t>(m_task.checked));
        std::iota(all.begin(), all.end(), std::int64_t{0});
        for (std::size_t begin = 0; begin < all.size(); begin += static_cast<std::size_t>(m_batch)) {
            const auto places = std::span<const std::int64_t>(all).subspan(begin, std::min(static_cast<std::size_t>(m_batch), all.size() - begin));
            m_checkTape.reset();
            sum += static_cast<double>(places.size()) * static_cast<double>(m_checkTape.scalar(m_task.loss(m_checkTape, places, m_result.steps, true)));
        }
        m_checkTape.reset();
        const double mean = sum / static_cast<double>(all.size());
        if (std::isfinite(mean))
            m_checks.push_back({static_cast<double>(m_result.steps), mean});
        return mean;
    }

    void keep()
    {
        m_best.clear();
        forTrained([&](const Parameter<float>& parameter) { m_best.push_back(parameter.values); });
    }

    template <class Each> void forTrained(const Each& each)
    {
        for (ParameterSet<float>* set : m_sets)
            for (Parameter<float>& parameter : set->all())
                if (parameter.rate != 0.0)
                    each(parameter);
    }

    std::vector<report::Series> drawn() const
    {
        return {{.name = "training", .points = report::decimate(m_losses, 1, kPoints), .group = 0}, {.name = "held out", .points = m_checks, .dashed = true, .group = 0}};
    }

    const std::vector<ParameterSet<float>*>& m_sets;
    const CheckedTrainingSettings& m_settings;
    const CheckedTask& m_task;
    const RunContext& m_context;
    CheckedTrainingResult m_result;
    SampleOrder m_order;
    std::int64_t m_batch;
    Tape<float> m_checkTape;
    std::vector<tensor::Matrix<float>> m_best;
    std::vector<double> m_losses;
    std::vector<report::Point> m_checks;
    std::int64_t m_looksWithoutGain = 0, m_seenTimes = 0;
    bool m_enough = false;
    Clock::time_point m_seen = Clock::now();
};
} // namespace

void requireTrainable(const CheckedTrainingSettings& settings, const std::string& samples)
{
    if (settings.steps < 1 || settings.batch < 1 || settings.checkEvery < 1 || settings.patience < 0)
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(settings.steps) + " steps of " + std::to_string(settings.batch) + " " + samples + ", checked every " +
                                                     std::to_string(settings.checkEvery) + " steps with a patience of " + std::to_string(settings.patience) +
                                                     ", expected at least 1, 1, 1 and 0", "training");
}

CheckedTrainingResult trainChecked(const std::vector<ParameterSet<float>*>& sets, const CheckedTrainingSettings& settings, const CheckedTask& task, const RunContext& context)
{
    requireTrainable(settings, task.samples);
    if (task.trained < 1 || task.checked < 1)
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(task.trained) + " " + task.samples + " to train on and " + std::to_string(task.checked) + " to check, expected 1 of each", "training");
    return Training(sets, settings, task, context).run();
}

CheckedTrainingResult trainChecked(ParameterSet<float>& parameters, const CheckedTrainingSettings& settings, const CheckedTask& task, const RunContext& context)
{
    const std::vector<ParameterSet<float>*> sets{&parameters};
    return trainChecked(sets, settings, task, context);
}

} // namespace tamis::train
