// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/token_training.h"

#include "core/base/error.h"
#include "core/tokens/seed.h"
#include "core/train/checked_training.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace tamis::tokens {
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
    const train::CheckedTrainingSettings loop{settings.steps, settings.batch, settings.checkEvery, settings.patience, settings.learningRate, settings.warmUp, settings.weightDecay, settings.clipNorm, settings.seed};
    train::CheckedTask task;
    task.samples = "photos";
    train::requireTrainable(loop, task.samples);
    context.setParts(20);
    TokenTrainingResult result;
    const TrainingSource photos(*inputs.model, *inputs.calibration, settings.checkShare, result.warnings, context.part(1, "photos to train on"));
    task.trained = static_cast<std::int64_t>(photos.trained().size());
    task.checked = static_cast<std::int64_t>(photos.checked().size());
    task.enough = [&] { return inputs.enough.stop_requested(); };
    task.seen = inputs.trainingSeen;
    TrainingSource::Memory memory, checkMemory;
    TrainingPhotos now, checked; // the tapes look at them
    task.loss = [&](train::Tape<float>& tape, std::span<const std::int64_t> places, std::int64_t step, bool checking) {
        const std::vector<std::size_t>& all = checking ? photos.checked() : photos.trained();
        std::vector<std::size_t> chosen;
        for (const std::int64_t place : places)
            chosen.push_back(all[static_cast<std::size_t>(place)]);
        TrainingPhotos& some = checking ? checked : now;
        some = photos.at(std::move(chosen), checking ? checkMemory : memory, context);
        return loss(tape, some, step, checking);
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
