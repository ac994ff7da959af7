// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/encoder_training.h"

#include "core/base/error.h"
#include "core/encoder/exact.h"
#include "core/encoder/sparse_decoder.h"
#include "core/train/trainer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <iterator>
#include <limits>

namespace tamis::encoder {
namespace {
using tensor::Matrix;
using tensor::MatrixView;
using Clock = std::chrono::steady_clock;
constexpr auto kSeenEvery = std::chrono::milliseconds(100);
constexpr std::int64_t kSeenALabel = 4; // times that losses are seen, for one new label of the progress
constexpr std::int64_t kMostChecked = 2048;
constexpr std::size_t kPoints = 512; // of a loss curve

/// Four digits.
std::string shortText(double value)
{
    std::array<char, 32> text{};
    const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::general, 4);
    return {text.data(), end};
}

/// The calibration rows with what is exact of them, parted into those that are trained on and those that are checked.
class Rows {
public:
    Rows(const Inputs& inputs, const EncoderTrainingSettings& settings, TrainingTarget target, std::vector<std::string>& warnings, const RunContext& context)
        : m_x(inputs.calibration.view())
    {
        if (m_x.rows < 2 || m_x.cols != inputs.dictionary->width())
            throw Error(ErrorCode::InvalidParameter, "found calibration activations of shape [" + std::to_string(m_x.rows) + ", " + std::to_string(m_x.cols) +
                                                         "], expected at least 2 rows of " + std::to_string(inputs.dictionary->width()) + " features to train on and to check", "training");
        m_exact = exactEncoder(inputs.dictionary)->encode(m_x, context);
        const SparseDecoder decoder(inputs.dictionary);
        if (target == TrainingTarget::Input && !decoder.decodesItsInput()) {
            warnings.emplace_back("The autoencoder does not decode its own input: training aims at what the exact codes decode to.");
            target = TrainingTarget::ExactCodes;
        }
        if (target == TrainingTarget::ExactCodes)
            m_target = decoder.decoded(m_exact, context);
        else if (target == TrainingTarget::Input)
            m_target = decoder.inputsAsTargets(m_x);
        // One run, the last: neighbours are alike (tokens of one photo, of one text), and rows from among them would flatter what is trained.
        const auto checked = std::clamp<std::int64_t>(std::llround(settings.checkShare * static_cast<double>(m_x.rows)), 1, std::min(kMostChecked, m_x.rows - 1));
        for (std::int64_t i = 0; i < m_x.rows; ++i)
            (i < m_x.rows - checked ? m_trained : m_checked).push_back(i);
        takeScales(context);
    }
    const std::vector<std::int64_t>& checked() const noexcept { return m_checked; }
    const std::vector<std::int64_t>& trained() const noexcept { return m_trained; }

    /// Rows at `places`; views of the result point into `memory`.
    struct Memory {
        Matrix<float> x, target;
    };
    TrainingRows at(std::span<const std::int64_t> places, Memory& memory) const
    {
        const auto count = static_cast<std::int64_t>(places.size());
        gather(m_x, places, memory.x);
        if (!m_target.empty())
            gather(m_target.view(), places, memory.target);
        TrainingRows rows{memory.x.view(), {}, {}, m_codeEnergy, m_targetVariance};
        if (!m_target.empty())
            rows.target = memory.target.view();
        for (std::int64_t i = 0; i < count; ++i) {
            const auto latents = m_exact.latentsOf(places[static_cast<std::size_t>(i)]);
            const auto values = m_exact.valuesOf(places[static_cast<std::size_t>(i)]);
            rows.exact.latents.insert(rows.exact.latents.end(), latents.begin(), latents.end());
            rows.exact.values.insert(rows.exact.values.end(), values.begin(), values.end());
            rows.exact.first.push_back(rows.exact.latents.size());
        }
        return rows;
    }

private:
    static void gather(MatrixView<const float> from, std::span<const std::int64_t> places, Matrix<float>& to)
    {
        if (to.rows() != static_cast<std::int64_t>(places.size()))
            to = Matrix<float>(static_cast<std::int64_t>(places.size()), from.cols);
        for (std::size_t i = 0; i < places.size(); ++i)
            std::ranges::copy(from.row(places[i]), to.view().row(static_cast<std::int64_t>(i)).begin());
    }
    void takeScales(const RunContext& context)
    {
        const auto count = static_cast<double>(m_trained.size());
        double energy = 0, variance = 0;
        for (const std::int64_t place : m_trained)
            for (const float value : m_exact.valuesOf(place))
                energy += static_cast<double>(value) * static_cast<double>(value);
        m_codeEnergy = energy > 0 ? energy / count : 1;
        std::vector<double> mean(static_cast<std::size_t>(m_target.cols()));
        for (const std::int64_t place : m_trained) {
            context.throwIfStopped();
            for (std::size_t j = 0; j < mean.size(); ++j)
                mean[j] += static_cast<double>(m_target(place, static_cast<std::int64_t>(j))) / count;
        }
        for (const std::int64_t place : m_trained) {
            context.throwIfStopped();
            for (std::size_t j = 0; j < mean.size(); ++j) {
                const double difference = static_cast<double>(m_target(place, static_cast<std::int64_t>(j))) - mean[j];
                variance += difference * difference / count;
            }
        }
        m_targetVariance = variance > 0 ? variance : 1;
    }

    MatrixView<const float> m_x;
    SparseCodes m_exact;
    Matrix<float> m_target; ///< of all rows, or empty
    std::vector<std::int64_t> m_checked, m_trained;
    double m_codeEnergy = 1, m_targetVariance = 1;
};

/// One training: the loop's builder and observer over shared state.
class Training {
public:
    Training(train::ParameterSet<float>& parameters, const Inputs& inputs, const EncoderTrainingSettings& settings, const EncoderObjective& objective, const RunContext& context)
        : m_parameters(parameters), m_inputs(inputs), m_settings(settings), m_objective(objective), m_context(context),
          m_rows(inputs, settings, objective.target, m_result.warnings, context.part(1, "exact codes to train on")),
          m_order(static_cast<std::int64_t>(m_rows.trained().size()), settings.seed + 1),
          m_batch(std::min(settings.batch, static_cast<std::int64_t>(m_rows.trained().size()))), m_checkTape(context)
    {
    }

    EncoderTrainingResult run()
    {
        m_result.startLoss = m_result.bestLoss = check();
        if (!std::isfinite(m_result.startLoss))
            throw Error(ErrorCode::NonFinite, "the loss of the encoder to start from is not a number, expected a finite one", "training");
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
                                        "; the best encoder so far, of step " + std::to_string(m_result.bestStep) + ", is kept.");
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
        std::vector<std::int64_t> places;
        for (std::int64_t i = 0; i < m_batch; ++i)
            places.push_back(m_rows.trained()[static_cast<std::size_t>(m_order.at(step * m_batch + i))]);
        return m_objective.loss(tape, m_rows.at(places, m_memory), step, false);
    }

    void observe(const train::TrainingStep& step)
    {
        m_result.steps = step.step + 1;
        m_losses.push_back(step.loss);
        const bool last = m_result.steps == m_settings.steps;
        m_enough = m_inputs.enough && m_inputs.enough();
        if (m_enough || last || m_result.steps % m_settings.checkEvery == 0)
            look();
        if (Clock::now() - m_seen < kSeenEvery)
            return;
        if (++m_seenTimes % kSeenALabel == 0) // a part of no weight: what the progress line shows
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

    /// Mean loss over the rows kept apart, in batches of the training's size.
    double check()
    {
        double sum = 0;
        const std::span<const std::int64_t> all = m_rows.checked();
        for (std::size_t begin = 0; begin < all.size(); begin += static_cast<std::size_t>(m_batch)) {
            const auto places = all.subspan(begin, std::min(static_cast<std::size_t>(m_batch), all.size() - begin));
            m_checkTape.reset();
            sum += static_cast<double>(places.size()) * static_cast<double>(m_checkTape.scalar(m_objective.loss(m_checkTape, m_rows.at(places, m_checkMemory), m_result.steps, true)));
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
    const EncoderTrainingSettings& m_settings;
    const EncoderObjective& m_objective;
    RunContext m_context;
    EncoderTrainingResult m_result;
    Rows m_rows;
    train::SampleOrder m_order;
    std::int64_t m_batch;
    Rows::Memory m_memory, m_checkMemory;
    train::Tape<float> m_checkTape;
    std::vector<Matrix<float>> m_best;
    std::vector<double> m_losses;
    std::vector<report::Point> m_checks;
    std::int64_t m_looksWithoutGain = 0, m_seenTimes = 0;
    bool m_enough = false;
    Clock::time_point m_seen = Clock::now();
};
} // namespace

EncoderTrainingSettings::EncoderTrainingSettings(const Parameters& complete, std::uint64_t more)
    : steps(complete.integer("steps")), batch(complete.integer("batch")), checkEvery(complete.integer("check-every")), patience(complete.integer("patience")),
      learningRate(complete.real("learning-rate")), warmUp(complete.real("warm-up")), seed(static_cast<std::uint64_t>(complete.integer("seed")) + more)
{
}

std::vector<ParameterSpec> encoderTrainingParameters()
{
    using Type = ParameterType;
    return {
        {.name = "steps", .title = "Steps", .type = Type::Integer, .defaultValue = std::int64_t{2000}, .minimum = 1, .maximum = 1e6, .step = 1, .logarithmic = true,
         .help = "Steps of AdamW at most, the learning rate along half a cosine"},
        {.name = "batch", .title = "Batch", .type = Type::Integer, .defaultValue = std::int64_t{256}, .minimum = 1, .maximum = 65536, .step = 1, .logarithmic = true, .unit = "rows",
         .help = "Calibration rows a step; memory grows with it times the latents"},
        {.name = "learning-rate", .title = "Learning rate", .type = Type::Real, .defaultValue = 3e-3, .minimum = 0, .maximum = 1, .logarithmic = true, .help = "At its peak"},
        {.name = "warm-up", .title = "Warm-up", .type = Type::Real, .defaultValue = 0.05, .minimum = 0, .maximum = 1, .unit = "of the steps",
         .help = "Share of the steps in which the rate rises from 0"},
        {.name = "check-every", .title = "Check every", .type = Type::Integer, .defaultValue = std::int64_t{50}, .minimum = 1, .maximum = 1e6, .step = 1, .logarithmic = true, .unit = "steps",
         .help = "How often the loss on the rows kept apart, the last eighth, is taken; the best encoder by it is kept"},
        {.name = "patience", .title = "Patience", .type = Type::Integer, .defaultValue = std::int64_t{10}, .minimum = 0, .maximum = 1e6, .step = 1, .logarithmic = true, .unit = "checks",
         .help = "Training ends after so many checks without a better loss; 0: never"},
        {.name = "seed", .title = "Seed", .type = Type::Integer, .defaultValue = std::int64_t{0}, .minimum = 0, .maximum = 1e9, .step = 1,
         .help = "Of the order of the rows, and of random starts"},
    };
}

EncoderTrainingResult trainEncoder(train::ParameterSet<float>& parameters, const Inputs& inputs, const EncoderTrainingSettings& settings, const EncoderObjective& objective,
                                   const RunContext& context)
{
    if (settings.steps < 1 || settings.batch < 1 || settings.checkEvery < 1 || settings.patience < 0)
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(settings.steps) + " steps of " + std::to_string(settings.batch) + " rows, checked every " +
                                                     std::to_string(settings.checkEvery) + " steps with a patience of " + std::to_string(settings.patience) +
                                                     ", expected at least 1, 1, 1 and 0", "training");
    context.setParts(20);
    return Training(parameters, inputs, settings, objective, context).run();
}

void trainInto(Built& built, train::ParameterSet<float>& parameters, const Inputs& inputs, const EncoderTrainingSettings& settings, const EncoderObjective& objective,
               const RunContext& context)
{
    EncoderTrainingResult result = trainEncoder(parameters, inputs, settings, objective, context);
    std::ranges::move(result.warnings, std::back_inserter(built.warnings));
    built.training = std::move(result.losses);
}

Method trainedMethod(MethodDeclaration declaration, decltype(Method::build) build, decltype(Method::restore) restore, decltype(Method::afterTraining) afterTraining)
{
    Method method;
    method.declaration = std::move(declaration);
    method.needsCalibration = true;
    method.trains = true;
    method.build = std::move(build);
    method.restore = std::move(restore);
    method.afterTraining = std::move(afterTraining);
    return method;
}

std::shared_ptr<const TrainedEncoder> trainedBy(std::string method, Parameters complete, const Dictionary& dictionary, std::vector<TrainedTensor> tensors, const RunContext& context)
{
    return std::make_shared<const TrainedEncoder>(TrainedEncoder{.method = std::move(method),
                                                                 .parameters = std::move(complete),
                                                                 .width = dictionary.width(),
                                                                 .latents = dictionary.latents(),
                                                                 .k = dictionary.k(),
                                                                 .dictionary = fingerprintOf(dictionary, context),
                                                                 .tensors = std::move(tensors)});
}

TrainedEncoder completed(const TrainedEncoder& trained, const std::string& method, const ParameterSchema& schema, const Dictionary& dictionary, const RunContext& context)
{
    trained.requireFor(method, dictionary, context);
    TrainedEncoder complete = trained;
    complete.parameters = schema.complete(trained.parameters);
    return complete;
}

} // namespace tamis::encoder
