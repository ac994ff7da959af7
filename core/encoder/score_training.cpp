// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/score_training.h"

#include "core/encoder/code_losses.h"
#include "core/encoder/listed_scores.h"
#include "core/encoder/low_rank.h"
#include "core/encoder/two_stage.h"
#include "core/train/loss_ops.h"
#include "core/train/pointwise_ops.h"

#include <algorithm>
#include <cmath>
#include <iterator>

namespace tamis::encoder {
namespace {
ParameterSpec candidatesParameter()
{
    return {.name = "candidates",
            .title = "Candidates",
            .type = ParameterType::Integer,
            .defaultValue = std::int64_t{0},
            .minimum = 0,
            .maximum = 4'194'304,
            .step = 1,
            .logarithmic = true,
            .help = "Latents a token that are scored exactly, the best by the trained scores; 0: the trained scores choose"};
}
} // namespace

std::vector<ParameterSpec> objectiveParameters(const std::string& objective)
{
    return {{.name = "objective",
             .title = "Objective",
             .type = ParameterType::Choice,
             .defaultValue = objective,
             .help = "exact-codes: values of the exact set, and none above it; ranking: the exact set before all others; reconstruction: what the chosen latents decode to",
             .choices = {"exact-codes", "ranking", "reconstruction"}},
            {.name = "temperature",
             .title = "Temperature",
             .type = ParameterType::Real,
             .defaultValue = 0.5,
             .minimum = 0.01,
             .maximum = 100,
             .logarithmic = true,
             .unit = "x rms value",
             .help = "ranking: the lower, the more the latents about the k-th count"},
            {.name = "value-weight",
             .title = "Weight of the values",
             .type = ParameterType::Real,
             .defaultValue = 1.0,
             .minimum = 0,
             .maximum = 1000,
             .logarithmic = true,
             .help = "ranking: of the values' squared error beside the order; needless where candidates are scored exactly"},
            {.name = "target",
             .title = "Reconstruct",
             .type = ParameterType::Choice,
             .defaultValue = std::string("exact"),
             .help = "reconstruction: what the exact codes decode to, or the input itself",
             .choices = {"exact", "input"}}};
}

EncoderObjective objectiveOf(const Parameters& complete, const Inputs& inputs, ScoresOnTape scores)
{
    EncoderObjective objective;
    const std::int64_t k = inputs.dictionary->k();
    if (complete.text("objective") == "exact-codes") {
        objective.loss = [k, scores = std::move(scores)](train::Tape<float>& tape, const TrainingRows& rows, std::int64_t step, bool checking) {
            const auto s = scores(tape, tape.constant(rows.x), step, checking);
            return train::scale(codeError(s, rows.exact, k), static_cast<float>(1 / rows.codeEnergy));
        };
        return objective;
    }
    if (complete.text("objective") == "ranking") {
        objective.loss = [k, temperature = complete.real("temperature"), weight = complete.real("value-weight"), scores = std::move(scores)](train::Tape<float>& tape, const TrainingRows& rows, std::int64_t step,
                                                                                                                                      bool checking) {
            const auto s = scores(tape, tape.constant(rows.x), step, checking);
            const auto order = setDivergence(s, rows.exact, temperature * std::sqrt(rows.codeEnergy / static_cast<double>(k)));
            return weight > 0 ? train::add(order, train::scale(valueError(s, rows.exact), static_cast<float>(weight / rows.codeEnergy))) : order;
        };
        return objective;
    }
    objective.target = complete.text("target") == "input" ? TrainingTarget::Input : TrainingTarget::ExactCodes;
    auto decoder = std::make_shared<const SparseDecoder>(inputs.dictionary);
    objective.loss = [k, decoder, scores = std::move(scores)](train::Tape<float>& tape, const TrainingRows& rows, std::int64_t step, bool checking) {
        const auto s = scores(tape, tape.constant(rows.x), step, checking);
        const auto y = decodedLargest(s, k, *decoder);
        const auto width = static_cast<double>(rows.x.cols);
        return train::scale(train::meanSquaredError(y, tape.constant(rows.target)), static_cast<float>(width / rows.targetVariance));
    };
    return objective;
}

ParameterSchema scorerSchema(std::vector<ParameterSpec> own, const std::string& objective)
{
    for (auto more : {objectiveParameters(objective), weightingParameters(), encoderTrainingParameters()})
        std::ranges::move(more, std::back_inserter(own));
    own.push_back(candidatesParameter());
    return ParameterSchema(std::move(own));
}

void trainScores(Built& built, train::ParameterSet<float>& set, const Parameters& complete, const Inputs& inputs, ScoresOnTape scores, const RunContext& context)
{
    trainInto(built, set, inputs, EncoderTrainingSettings(complete, inputs.seed), objectiveOf(complete, inputs, std::move(scores)), context);
}

void clampCandidates(Parameters& parameters, const Dictionary& dictionary, std::vector<std::string>& warnings)
{
    if (const std::int64_t asked = parameters.integer("candidates"); asked > 0)
        parameters.set("candidates", candidatesWithin(dictionary, asked, warnings));
}

EncoderPtr encoderFrom(const std::shared_ptr<const Dictionary>& dictionary, ScorerPtr scorer, std::int64_t candidates)
{
    if (candidates > 0)
        return twoStageEncoder(dictionary, std::move(scorer), candidates);
    return coarseOnly(std::move(scorer), dictionary->k());
}

train::Parameter<float>& addParameter(train::ParameterSet<float>& set, std::string name, tensor::MatrixView<const double> values, bool decays)
{
    std::vector<float> rounded;
    rounded.reserve(static_cast<std::size_t>(values.rows * values.cols));
    for (std::int64_t i = 0; i < values.rows; ++i)
        for (const double value : values.row(i))
            rounded.push_back(static_cast<float>(value));
    return set.add(std::move(name), {values.rows, values.cols}, std::move(rounded), decays);
}

std::vector<TrainedTensor> tensorsOf(const train::ParameterSet<float>& set)
{
    std::vector<TrainedTensor> tensors;
    for (const auto& parameter : set.all())
        tensors.push_back({parameter.name, parameter.shape, {parameter.values.values().begin(), parameter.values.values().end()}, {}});
    return tensors;
}

tensor::Matrix<double> asMatrix(const TrainedTensor& tensor)
{
    tensor::Matrix<double> m(tensor.shape.at(0), tensor.shape.at(1));
    std::ranges::copy(tensor.values, m.values().begin());
    return m;
}

} // namespace tamis::encoder
