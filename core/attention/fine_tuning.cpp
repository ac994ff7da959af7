// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/fine_tuning.h"

#include "core/attention/fresh_weights.h"
#include "core/attention/tape_assignment.h"
#include "core/attention/tuning_objective.h"
#include "core/attention/tuning_samples.h"
#include "core/base/error.h"
#include "core/base/memory_estimate.h"
#include "core/train/checked_training.h"

#include <algorithm>
#include <set>
#include <string>

namespace tamis::attention {
namespace {
using train::Tape;
using train::Variable;

/// Names of the tensors that TrainedPart::Projections trains.
std::set<std::string> projectionsOf(const nn::Model& model, std::span<const HeadChoice> choices)
{
    std::set<std::string> names;
    const std::vector<int> chosen = blocksOf(choices);
    for (std::size_t b = 0; b < model.blocks().size(); ++b) {
        if (!chosen.empty() && std::ranges::find(chosen, static_cast<int>(b)) == chosen.end())
            continue;
        const nn::Block& block = model.blocks()[b];
        for (const nn::LinearSlot* slot : {&block.qkv, &block.query, &block.key, &block.value, &block.output})
            if (*slot)
                names.insert({slot->name + ".weight", slot->name + ".bias"});
    }
    return names;
}

/// Throws Error{OutOfMemory} before anything that grows with settings is allocated: numbers of the operators and of the model, each with a gradient and two
/// moments.
const nn::Model& requireNumbers(const nn::Model& model, std::span<const HeadChoice> choices, const AssignmentInputs& with)
{
    AssignmentInputs bare = with;
    bare.samples.clear();
    std::uint64_t numbers = 0;
    const auto add = [&](const HeadChoice& choice, std::int64_t head) {
        if (const Method* method = findMethod(choice.method); method && method->trainedNumbers)
            numbers += method->trainedNumbers(inputsFor(model, choice.block, head, bare), choice.parameters);
    };
    for (const BlockChoices& block : choicesByBlock(model, choices)) {
        if (block.whole)
            add(*block.whole, kAllHeads);
        for (std::size_t head = 0; !block.whole && head < block.heads.size(); ++head)
            if (block.heads[head])
                add(*block.heads[head], static_cast<std::int64_t>(head));
    }
    if (numbers > 0)
        requireMemory(4 * sizeof(float) * numbers, "training around attention operators");
    return model;
}

class Training {
public:
    Training(const io::Checkpoint& checkpoint, std::span<const HeadChoice> choices, const AssignmentInputs& with, const measure::SampleSource& source, const TuningSettings& settings,
             const RunContext& context, const TuningTalk& talk)
        : m_settings(settings), m_talk(talk), m_context(context), m_model(nn::Model::load(checkpoint, context)), m_operators(tapeOperatorsFor(requireNumbers(*m_model, choices, with), choices, with)),
          m_samples(*m_model, source, settings.checkShare, settings.length),
          m_objective(checkpoint, *m_model, m_operators, {settings.teacher, settings.labels, settings.temperature}, context)
    {
        if (m_settings.fresh)
            drawFreshWeights(m_objective.parameters(), m_settings.seed);
        freeze(choices);
        requireFitting();
    }

    Tuned run()
    {
        if (m_settings.steps == 0)
            m_result.startLoss = m_result.bestLoss = lossOfChecked();
        else
            train();
        collect();
        return std::move(m_result);
    }

private:
    void freeze(std::span<const HeadChoice> choices)
    {
        const std::set<std::string> projections = m_settings.part == TrainedPart::Projections ? projectionsOf(*m_model, choices) : std::set<std::string>();
        std::uint64_t trained = 0;
        for (auto& parameter : m_objective.parameters().all()) {
            const bool trains = m_settings.part == TrainedPart::All || projections.contains(parameter.name);
            parameter.rate = trains ? 1 : 0;
            trained += trains ? parameter.values.size() : 0;
        }
        if (trained > 0)
            m_sets.push_back(&m_objective.parameters());
        for (const auto& op : m_operators)
            if (op)
                for (const OwnParameters& own : op->parameterSets())
                    m_sets.push_back(own.set);
        if (m_sets.empty())
            throw Error(ErrorCode::InvalidParameter, "found nothing to train: the operators have no parameters of their own, expected weights of the model to be trained, too", "training");
    }

    /// Values, gradients, two moments and the best so far; a pass over one sample, and the gradients on its way back.
    void requireFitting()
    {
        std::uint64_t numbers = 0;
        for (const auto* set : m_sets)
            numbers += set->count();
        requireMemory(4 * sizeof(float) * numbers, "training around attention operators");
        const std::vector<std::size_t> first{m_samples.trained().front()};
        Tape<float> tape(m_context);
        (void)m_objective.loss(tape, m_samples.at(first, m_context), first);
        const auto one = static_cast<std::uint64_t>(tape.bytes());
        const std::int64_t batch = std::min(m_settings.batch, static_cast<std::int64_t>(m_samples.trained().size()));
        requireMemory(4 * sizeof(float) * numbers + 3 * one / 2 * static_cast<std::uint64_t>(batch), "training around attention operators, " + std::to_string(batch) + " samples a step");
    }

    void train()
    {
        train::CheckedTrainingSettings loop{.steps = m_settings.steps, .batch = m_settings.batch, .checkEvery = m_settings.checkEvery, .patience = m_settings.patience,
                                            .learningRate = m_settings.learningRate, .warmUp = m_settings.warmUp, .weightDecay = m_settings.weightDecay, .clipNorm = m_settings.clipNorm,
                                            .seed = m_settings.seed};
        train::CheckedTask task;
        task.trained = static_cast<std::int64_t>(m_samples.trained().size());
        task.checked = static_cast<std::int64_t>(m_samples.checked().size());
        task.loss = [this](Tape<float>& tape, std::span<const std::int64_t> places, std::int64_t step, bool checking) {
            for (const auto& op : m_operators)
                if (op)
                    op->beginStep(checking ? -1 : step);
            return loss(tape, places, checking);
        };
        task.enough = [this] { return m_talk.enough.stop_requested(); };
        task.seen = m_talk.seen;
        task.best = "the best weights";
        train::CheckedTrainingResult result = train::trainChecked(m_sets, loop, task, m_context.part(19, "training"));
        m_result.losses = std::move(result.losses);
        m_result.warnings = std::move(result.warnings);
        m_result.steps = result.steps;
        m_result.bestStep = result.bestStep;
        m_result.startLoss = result.startLoss;
        m_result.bestLoss = result.bestLoss;
    }

    Variable<float> loss(Tape<float>& tape, std::span<const std::int64_t> places, bool checking)
    {
        std::vector<std::size_t> inSource;
        for (const std::int64_t place : places)
            inSource.push_back((checking ? m_samples.checked() : m_samples.trained())[static_cast<std::size_t>(place)]);
        return m_objective.loss(tape, m_samples.at(inSource, m_context), inSource);
    }

    double lossOfChecked()
    {
        double sum = 0;
        for (std::int64_t i = 0; i < static_cast<std::int64_t>(m_samples.checked().size()); ++i) {
            Tape<float> tape(m_context);
            const std::vector<std::int64_t> place{i};
            sum += static_cast<double>(tape.scalar(loss(tape, place, true)));
        }
        return sum / static_cast<double>(m_samples.checked().size());
    }

    static io::TrainedTensor tensorOf(const std::string& name, const train::Parameter<float>& parameter)
    {
        const auto values = parameter.values.values();
        return {.name = name, .shape = parameter.shape, .values = {values.begin(), values.end()}};
    }
    void collect()
    {
        for (const auto& parameter : m_objective.parameters().all())
            if (parameter.rate != 0.0)
                m_result.weights.push_back(tensorOf(parameter.name, parameter));
        for (std::size_t block = 0; block < m_operators.size(); ++block)
            if (m_operators[block])
                for (const OwnParameters& own : m_operators[block]->parameterSets())
                    for (const auto& parameter : own.set->all())
                        m_result.own.push_back(tensorOf("attention." + std::to_string(block) + "." + own.prefix + parameter.name, parameter));
    }

    const TuningSettings& m_settings;
    const TuningTalk& m_talk;
    RunContext m_context;
    std::shared_ptr<const nn::Model> m_model;
    TapeOperators m_operators;
    TuningSamples m_samples;
    TuningObjective m_objective;
    std::vector<train::ParameterSet<float>*> m_sets;
    Tuned m_result;
};

TrainedPart partNamed(const std::string& name) { return name == "all" ? TrainedPart::All : name == "projections" ? TrainedPart::Projections : TrainedPart::Operators; }
std::string nameOf(TrainedPart part) { return part == TrainedPart::All ? "all" : part == TrainedPart::Projections ? "projections" : "operators"; }
} // namespace

TuningSettings::TuningSettings(const Parameters& complete)
    : steps(complete.integer("steps")), batch(complete.integer("batch")), length(complete.integer("length")), checkEvery(complete.integer("check-every")), patience(complete.integer("patience")),
      learningRate(complete.real("learning-rate")), warmUp(complete.real("warm-up")), weightDecay(complete.real("weight-decay")), teacher(complete.real("teacher")), labels(complete.real("labels")),
      temperature(complete.real("temperature")), part(partNamed(complete.text("trained"))), fresh(complete.text("start") == "random"), seed(static_cast<std::uint64_t>(complete.integer("seed")))
{
}

Parameters TuningSettings::asParameters() const
{
    Parameters parameters;
    for (const auto& [name, value] : {std::pair{"steps", steps}, {"batch", batch}, {"length", length}, {"check-every", checkEvery}, {"patience", patience}, {"seed", static_cast<std::int64_t>(seed)}})
        parameters.set(name, value);
    for (const auto& [name, value] : {std::pair{"learning-rate", learningRate}, {"warm-up", warmUp}, {"weight-decay", weightDecay}, {"teacher", teacher}, {"labels", labels}, {"temperature", temperature}})
        parameters.set(name, value);
    parameters.set("trained", nameOf(part));
    parameters.set("start", std::string(fresh ? "random" : "checkpoint"));
    return parameters;
}

std::vector<ParameterSpec> tuningParameters()
{
    using Type = ParameterType;
    const auto count = [](const char* name, const char* title, std::int64_t standard, double minimum, double maximum, const char* unit, const char* help) {
        return ParameterSpec{.name = name, .title = title, .type = Type::Integer, .defaultValue = standard, .minimum = minimum, .maximum = maximum, .step = 1, .logarithmic = true, .unit = unit, .help = help};
    };
    return {
        count("steps", "Steps", 200, 1, 1e6, "", "Steps of AdamW at most, the learning rate along half a cosine"),
        count("batch", "Batch", 8, 1, 1024, "samples", "Samples a step; memory grows with it"),
        count("length", "Length", 0, 0, 1e6, "tokens", "Of a text, from its first token; 0: all of it"),
        {.name = "learning-rate", .title = "Learning rate", .type = Type::Real, .defaultValue = 3e-4, .minimum = 0, .maximum = 1, .logarithmic = true, .help = "At its peak"},
        {.name = "warm-up", .title = "Warm-up", .type = Type::Real, .defaultValue = 0.05, .minimum = 0, .maximum = 1, .unit = "of the steps", .help = "Share of the steps in which the rate rises from 0"},
        {.name = "weight-decay", .title = "Weight decay", .type = Type::Real, .defaultValue = 0.01, .minimum = 0, .maximum = 1, .logarithmic = true, .help = "Of matrices"},
        {.name = "teacher", .title = "Weight of the teacher", .type = Type::Real, .defaultValue = 1.0, .minimum = 0, .maximum = 100, .help = "Of the divergence from the whole model's output; 0: labels alone"},
        {.name = "labels", .title = "Weight of the labels", .type = Type::Real, .defaultValue = 0.0, .minimum = 0, .maximum = 100, .help = "Of the cross entropy of classes, or of next tokens"},
        {.name = "temperature", .title = "Temperature", .type = Type::Real, .defaultValue = 1.0, .minimum = 0.1, .maximum = 20, .help = "Of the divergence: above 1, improbable outputs weigh more"},
        {.name = "trained", .title = "What is trained", .type = Type::Choice, .defaultValue = std::string("all"), .help = "projections: q, k, v and output of the blocks chosen; operators: their own parameters alone",
         .choices = {"all", "projections", "operators"}},
        {.name = "start", .title = "From", .type = Type::Choice, .defaultValue = std::string("checkpoint"), .help = "checkpoint: its weights; random: fresh ones by the seed, the same around whatever attention: from nothing",
         .choices = {"checkpoint", "random"}},
        count("check-every", "Check every", 20, 1, 1e6, "steps", "How often the loss on the samples kept apart, every eighth, is taken; the best by it is kept"),
        count("patience", "Patience", 5, 0, 1e6, "checks", "Training ends after so many checks without a better loss; 0: never"),
        {.name = "seed", .title = "Seed", .type = Type::Integer, .defaultValue = std::int64_t{0}, .minimum = 0, .maximum = 2147483647, .step = 1, .help = "Of the order of the samples"},
    };
}

Tuned fineTune(const io::Checkpoint& checkpoint, std::span<const HeadChoice> choices, const AssignmentInputs& with, const measure::SampleSource& source, const TuningSettings& settings,
               const RunContext& context, const TuningTalk& talk)
{
    if (settings.steps < 0 || settings.length < 0)
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(settings.steps) + " steps on texts of " + std::to_string(settings.length) + " tokens, expected 0 at least", "training");
    if (settings.fresh && settings.part != TrainedPart::All)
        throw Error(ErrorCode::InvalidParameter, "found random weights of which only some are trained, expected all of them to be", "training");
    context.setParts(20);
    Tuned tuned = Training(checkpoint, choices, with, source, settings, context, talk).run();
    tuned.model = checkpoint.sha256(context);
    tuned.choices.assign(choices.begin(), choices.end());
    tuned.seed = with.seed;
    tuned.settings = settings.asParameters();
    context.finish();
    return tuned;
}

} // namespace tamis::attention
