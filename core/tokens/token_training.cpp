// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/token_training.h"

#include "core/base/error.h"
#include "core/tokens/seed.h"
#include "core/train/trainer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <limits>

namespace tamis::tokens {
namespace {
using Clock = std::chrono::steady_clock;
constexpr auto kSeenEvery = std::chrono::milliseconds(100);
constexpr std::int64_t kSeenALabel = 4; // times that losses are seen, for one new label of the progress
constexpr std::size_t kPoints = 512;                       // of a loss curve

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
    Training(train::ParameterSet<float>& parameters, const Inputs& inputs, const TokenTrainingSettings& settings, const TokenLoss& loss, const RunContext& context)
        : m_parameters(parameters), m_inputs(inputs), m_settings(settings), m_loss(loss), m_context(context), m_photos(*inputs.model, *inputs.calibration, settings.checkShare, m_result.warnings, context.part(1, "photos to train on")),
          m_order(static_cast<std::int64_t>(m_photos.trained().size()), settings.seed + 1), m_batch(std::min(settings.batch, static_cast<std::int64_t>(m_photos.trained().size()))),
          m_checkTape(context)
    {
    }

    TokenTrainingResult run()
    {
        m_result.startLoss = m_result.bestLoss = check();
        if (!std::isfinite(m_result.startLoss))
            throw Error(ErrorCode::NonFinite, "the loss to start from is not a number, expected a finite one", "training");
        keep();
        train::TrainingSettings loop;
        loop.optimiser.weightDecay = m_settings.weightDecay;
        loop.schedule = {.kind = train::ScheduleKind::Cosine, .peak = m_settings.learningRate, .floor = 0.0,
                         .warmUp = static_cast<std::int64_t>(m_settings.warmUp * static_cast<double>(m_settings.steps)), .total = m_settings.steps};
        loop.clipNorm = m_settings.clipNorm > 0 ? m_settings.clipNorm : std::numeric_limits<double>::infinity();
        loop.enough = [this] { return m_enough; };
        try {
            train::train<float>(m_parameters, loop, [this](train::Tape<float>& tape, std::int64_t step, std::int64_t) { return build(tape, step); }, m_context.part(19, "training"),
                                [this](const train::TrainingStep& step) { observe(step); });
        } catch (const Error& error) {
            if (error.code() != ErrorCode::NonFinite)
                throw;
            m_result.warnings.push_back("Training ended after " + std::to_string(m_result.steps) + " of " + std::to_string(m_settings.steps) + " steps: " + error.message() +
                                        "; the best so far, of step " + std::to_string(m_result.bestStep) + ", is kept.");
        }
        for (std::size_t i = 0; i < m_best.size(); ++i)
            m_parameters.all()[i].values = std::move(m_best[i]);
        m_result.losses = drawn();
        if (m_inputs.trainingSeen)
            m_inputs.trainingSeen(m_result.losses);
        return std::move(m_result);
    }

private:
    train::Variable<float> build(train::Tape<float>& tape, std::int64_t step)
    {
        std::vector<std::size_t> places;
        for (std::int64_t i = 0; i < m_batch; ++i)
            places.push_back(m_photos.trained()[static_cast<std::size_t>(m_order.at(step * m_batch + i))]);
        m_now = m_photos.at(std::move(places), m_memory, m_context);
        return m_loss(tape, m_now, step, false);
    }

    void observe(const train::TrainingStep& step)
    {
        m_result.steps = step.step + 1;
        m_losses.push_back(step.loss);
        const bool last = m_result.steps == m_settings.steps;
        m_enough = m_inputs.enough.stop_requested();
        if (m_enough || last || m_result.steps % m_settings.checkEvery == 0)
            look();
        if (Clock::now() - m_seen < kSeenEvery)
            return;
        if (m_seenTimes++ % kSeenALabel == 0) // a part of no weight: what the progress line shows
            (void)m_context.part(0, "training: step " + std::to_string(m_result.steps) + " of " + std::to_string(m_settings.steps) + ", loss " + shortText(step.loss) + ", held out " + shortText(m_result.bestLoss));
        if (m_inputs.trainingSeen)
            m_inputs.trainingSeen(drawn());
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

    /// Mean loss over the photos kept apart, in batches of the training's size.
    double check()
    {
        double sum = 0;
        const std::vector<std::size_t>& all = m_photos.checked();
        for (std::size_t begin = 0; begin < all.size(); begin += static_cast<std::size_t>(m_batch)) {
            const std::size_t end = std::min(begin + static_cast<std::size_t>(m_batch), all.size());
            const TrainingPhotos photos = m_photos.at({all.begin() + static_cast<std::ptrdiff_t>(begin), all.begin() + static_cast<std::ptrdiff_t>(end)}, m_checkMemory, m_context);
            m_checkTape.reset();
            sum += static_cast<double>(end - begin) * static_cast<double>(m_checkTape.scalar(m_loss(m_checkTape, photos, m_result.steps, true)));
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
        for (const auto& parameter : m_parameters.all())
            m_best.push_back(parameter.values);
    }

    std::vector<report::Series> drawn() const
    {
        return {{.name = "training", .points = report::decimate(m_losses, 1, kPoints), .group = 0}, {.name = "held out", .points = m_checks, .dashed = true, .group = 0}};
    }

    train::ParameterSet<float>& m_parameters;
    const Inputs& m_inputs;
    const TokenTrainingSettings& m_settings;
    const TokenLoss& m_loss;
    RunContext m_context;
    TokenTrainingResult m_result;
    TrainingSource m_photos;
    train::SampleOrder m_order;
    std::int64_t m_batch;
    TrainingSource::Memory m_memory, m_checkMemory;
    TrainingPhotos m_now;
    train::Tape<float> m_checkTape;
    std::vector<tensor::Matrix<float>> m_best;
    std::vector<double> m_losses;
    std::vector<report::Point> m_checks;
    std::int64_t m_looksWithoutGain = 0, m_seenTimes = 0;
    bool m_enough = false;
    Clock::time_point m_seen = Clock::now();
};
} // namespace

TokenTrainingSettings::TokenTrainingSettings(const Parameters& complete)
    : steps(complete.integer("steps")), batch(complete.integer("batch")), checkEvery(complete.integer("check-every")), patience(complete.integer("patience")),
      learningRate(complete.real("learning-rate")), warmUp(complete.real("warm-up")), seed(seedOf(complete))
{
}

std::vector<ParameterSpec> tokenTrainingParameters()
{
    using Type = ParameterType;
    return {
        {.name = "steps", .title = "Steps", .type = Type::Integer, .defaultValue = std::int64_t{200}, .minimum = 1, .maximum = 1e6, .step = 1, .logarithmic = true,
         .help = "Steps of AdamW at most, the learning rate along half a cosine"},
        {.name = "batch", .title = "Batch", .type = Type::Integer, .defaultValue = std::int64_t{8}, .minimum = 1, .maximum = 1024, .step = 1, .logarithmic = true, .unit = "photos",
         .help = "Photos a step; memory grows with it"},
        {.name = "learning-rate", .title = "Learning rate", .type = Type::Real, .defaultValue = 1e-3, .minimum = 0, .maximum = 1, .logarithmic = true, .help = "At its peak"},
        {.name = "warm-up", .title = "Warm-up", .type = Type::Real, .defaultValue = 0.05, .minimum = 0, .maximum = 1, .unit = "of the steps",
         .help = "Share of the steps in which the rate rises from 0"},
        {.name = "check-every", .title = "Check every", .type = Type::Integer, .defaultValue = std::int64_t{20}, .minimum = 1, .maximum = 1e6, .step = 1, .logarithmic = true, .unit = "steps",
         .help = "How often the loss on the photos kept apart, the last eighth, is taken; the best by it is kept"},
        {.name = "patience", .title = "Patience", .type = Type::Integer, .defaultValue = std::int64_t{5}, .minimum = 0, .maximum = 1e6, .step = 1, .logarithmic = true, .unit = "checks",
         .help = "Training ends after so many checks without a better loss; 0: never"},
        seedParameter("Of the order of the photos, and of random starts"),
    };
}

TokenTrainingResult trainOnPhotos(train::ParameterSet<float>& parameters, const Inputs& inputs, const TokenTrainingSettings& settings, const TokenLoss& loss, const RunContext& context)
{
    if (settings.steps < 1 || settings.batch < 1 || settings.checkEvery < 1 || settings.patience < 0)
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(settings.steps) + " steps of " + std::to_string(settings.batch) + " photos, checked every " +
                                                     std::to_string(settings.checkEvery) + " steps with a patience of " + std::to_string(settings.patience) +
                                                     ", expected at least 1, 1, 1 and 0", "training");
    context.setParts(20);
    return Training(parameters, inputs, settings, loss, context).run();
}

TrainedParts partsOf(std::string method, Parameters complete, const Inputs& inputs, const train::ParameterSet<float>& parameters, TokenTrainingResult result, const RunContext& context)
{
    TrainedParts parts;
    parts.method = std::move(method);
    parts.parameters = std::move(complete);
    parts.model = inputs.checkpoint->sha256(context);
    for (const auto& parameter : parameters.all()) {
        const auto values = parameter.values.values();
        parts.tensors.push_back({.name = parameter.name, .shape = parameter.shape, .values = {values.begin(), values.end()}});
    }
    parts.losses = std::move(result.losses);
    parts.warnings = std::move(result.warnings);
    return parts;
}

void requireTrainable(const Inputs& inputs, const std::string& method)
{
    if (!inputs.checkpoint)
        throw Error(ErrorCode::InvalidParameter, "found no checkpoint, expected the model's to train with", method);
    if (!inputs.calibration || inputs.calibration->count() == 0)
        throw Error(ErrorCode::InvalidParameter, "found no photos, expected some to train on", method);
}

const TrainedParts& requireTrained(const Inputs& inputs, const std::string& method, const RunContext& context)
{
    if (!inputs.trained)
        throw Error(ErrorCode::InvalidParameter, "found nothing trained, expected it to be trained first or to be read from a file", method);
    if (!inputs.checkpoint)
        throw Error(ErrorCode::InvalidParameter, "found no checkpoint, expected the one that the parts were trained for", method);
    inputs.trained->requireFor(method, inputs.checkpoint->sha256(context));
    return *inputs.trained;
}

} // namespace tamis::tokens
