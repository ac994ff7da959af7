// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/encoder_training.h"

#include "core/base/error.h"
#include "core/encoder/exact.h"
#include "core/encoder/sparse_decoder.h"
#include "core/train/checked_training.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

namespace tamis::encoder {
namespace {
using tensor::Matrix;
using tensor::MatrixView;
constexpr std::int64_t kMostChecked = 2048;

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
    const train::CheckedTrainingSettings loop{settings.steps, settings.batch, settings.checkEvery, settings.patience, settings.learningRate, settings.warmUp, settings.weightDecay, settings.clipNorm, settings.seed};
    train::CheckedTask task;
    task.samples = "rows";
    task.best = "the best encoder";
    train::requireTrainable(loop, task.samples);
    context.setParts(20);
    EncoderTrainingResult result;
    const Rows rows(inputs, settings, objective.target, result.warnings, context.part(1, "exact codes to train on"));
    task.trained = static_cast<std::int64_t>(rows.trained().size());
    task.checked = static_cast<std::int64_t>(rows.checked().size());
    task.enough = inputs.enough;
    task.seen = inputs.trainingSeen;
    Rows::Memory memory, checkMemory;
    task.loss = [&](train::Tape<float>& tape, std::span<const std::int64_t> places, std::int64_t step, bool checking) {
        const std::vector<std::int64_t>& all = checking ? rows.checked() : rows.trained();
        std::vector<std::int64_t> chosen;
        for (const std::int64_t place : places)
            chosen.push_back(all[static_cast<std::size_t>(place)]);
        return objective.loss(tape, rows.at(chosen, checking ? checkMemory : memory), step, checking);
    };
    train::CheckedTrainingResult trained = train::trainChecked(parameters, loop, task, context.part(19, "training"));
    result.losses = std::move(trained.losses);
    std::ranges::move(trained.warnings, std::back_inserter(result.warnings));
    result.steps = trained.steps;
    result.bestStep = trained.bestStep;
    result.startLoss = trained.startLoss;
    result.bestLoss = trained.bestLoss;
    return result;
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
