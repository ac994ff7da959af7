// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/reuse/run_reuse.h"

#include "core/base/error.h"
#include "core/base/memory_estimate.h"
#include "core/base/parallel.h"
#include "core/measure/logit_metrics.h"
#include "core/reuse/decisions.h"
#include "core/reuse/run_totals.h"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace tamis::reuse {

namespace {
using report::FrameResult;
using report::kNotMeasured;
using report::PatchSource;
using report::ReuseRun;
using Clock = std::chrono::steady_clock;

double millisecondsSince(Clock::time_point start) { return std::chrono::duration<double, std::milli>(Clock::now() - start).count(); }

/// Error, KL and label of a frame's answer, and what the whole model says.
void judge(FrameResult& result, const Answer& answer, const WholeAnswers& whole, std::size_t frame)
{
    const Answer& right = whole.answers[frame];
    double squared = 0, energy = 0;
    for (std::size_t i = 0; i < right.pooled.size(); ++i) {
        const double difference = static_cast<double>(answer.pooled[i]) - static_cast<double>(right.pooled[i]);
        squared += difference * difference;
        energy += static_cast<double>(right.pooled[i]) * static_cast<double>(right.pooled[i]);
    }
    result.featureError = energy > 0 ? std::sqrt(squared / energy) : squared > 0 ? kNotMeasured : 0;
    if (whole.classes)
        result.kl = measure::compareLogits(right.output, answer.output).kl;
    labelOf(answer, whole.classes, result.label, result.probability);
    result.wholeLabel = whole.labels[frame];
    result.wholeProbability = whole.probabilities[frame];
    result.wholeMilliseconds = whole.milliseconds[frame];
}

/// Frames whose features a key found, of another label than this one: false hits.
std::uint64_t falseHitsOf(const FrameAnswer& answer, const WholeAnswers& whole, std::size_t frame)
{
    return static_cast<std::uint64_t>(std::ranges::count_if(answer.foundIn, [&](std::int32_t from) { return from >= 0 && whole.labels[static_cast<std::size_t>(from)] != whole.labels[frame]; }));
}

struct Run {
    const TokenModel& model;
    const FrameSequence& sequence;
    const WholeAnswers& whole;
    const ReuseSettings& settings;
};

void runFrames(const Run& of, FrameReuser& reuser, ReuseRun& run, const RunContext& context, const std::function<void(std::size_t, const FrameResult&)>& onFrame)
{
    const std::size_t count = of.sequence.frames.size();
    const int rounds = std::max(of.settings.rounds, 1);
    run.frames.resize(count);
    nn::Scratch scratch(true, context);
    FrameAnswer answer;
    for (int round = 0; round < rounds; ++round) {
        reuser.restart();
        for (std::size_t i = 0; i < count; ++i) {
            context.throwIfStopped();
            context.setFraction(static_cast<double>(i + count * static_cast<std::size_t>(round)) / static_cast<double>(count * static_cast<std::size_t>(rounds)));
            const auto start = Clock::now();
            reuser.next(of.sequence.frames[i], answer, scratch);
            const double milliseconds = millisecondsSince(start);
            FrameResult& result = run.frames[i];
            if (round > 0) {
                result.milliseconds = std::min(result.milliseconds, milliseconds);
                continue;
            }
            result = decisionsOf(of.sequence.frames[i], answer, of.model);
            result.milliseconds = milliseconds;
            requireFinite(answer.answer, of.sequence.frames[i]);
            judge(result, answer.answer, of.whole, i);
            run.hits += answer.hits;
            run.misses += answer.misses;
            run.falseHits += answer.falseHits + falseHitsOf(answer, of.whole, i);
            run.falseHitsMeasured = run.falseHitsMeasured && (of.whole.classes || answer.foundIn.empty());
            if (onFrame)
                onFrame(i, result);
        }
    }
}

/// Every frame whole, or every n-th with its answer repeated.
ReuseRun baseline(const Run& of, std::size_t every)
{
    ReuseRun run;
    run.method = every == 1 ? "whole" : "drop";
    run.title = every == 1 ? "Everything computed" : "Every " + std::to_string(every) + (every == 2 ? "nd" : every == 3 ? "rd" : "th") + " frame computed";
    run.settings = every == 1 ? "" : "every=" + std::to_string(every);
    run.trivial = true;
    run.frames.resize(of.sequence.frames.size());
    for (std::size_t i = 0; i < run.frames.size(); ++i) {
        FrameResult& result = run.frames[i];
        const bool computed = i % every == 0;
        result.file = of.sequence.frames[i].file;
        result.keyFrame = computed;
        result.patches.assign(static_cast<std::size_t>(of.model.patches()), computed ? PatchSource::Computed : PatchSource::Dropped);
        result.wholeMacs = of.model.wholeMacs();
        result.macs = computed ? result.wholeMacs : 0;
        judge(result, of.whole.answers[i - i % every], of.whole, i);
        result.milliseconds = computed ? result.wholeMilliseconds : 0;
    }
    sumUp(run);
    return run;
}

std::string settingsText(const Parameters& parameters, const Parameters& defaults)
{
    std::string text;
    for (const auto& [name, value] : parameters.all())
        if (!(defaults.value(name) == value))
            text += (text.empty() ? "" : ", ") + name + "=" + toText(value);
    return text;
}

const Method& methodOf(const Configuration& configuration)
{
    const Method* method = findMethod(configuration.method);
    if (!method)
        throw Error(ErrorCode::InvalidParameter, "found the method '" + configuration.method + "', expected one of the reuse lab");
    return *method;
}
} // namespace

std::uint64_t resultBytes(std::uint64_t patches, std::uint64_t frames, std::uint64_t runs) noexcept
{
    return runs * frames * (sizeof(FrameResult) + 64 + patches * (sizeof(PatchSource) + sizeof(float) + sizeof(std::int32_t)));
}

report::ReuseReport runReuse(std::shared_ptr<const nn::Model> model, const FrameSequence& given, std::span<const Configuration> configurations, const ReuseSettings& settings, const RunContext& context,
                             const OnFrame& onFrame)
{
    const auto start = Clock::now();
    if (configurations.empty())
        throw Error(ErrorCode::InvalidParameter, "found no method, expected one at least");
    const auto tokens = std::make_shared<const TokenModel>(model);
    const Method& first = methodOf(configurations.front());
    std::shared_ptr<const FrameSequence> made = settings.made;
    if (first.frames && !made)
        made = std::make_shared<const FrameSequence>(first.frames(*tokens, given, first.declaration.schema.complete(configurations.front().parameters), context));
    const FrameSequence& sequence = first.frames ? *made : given;
    checkSequence(sequence, context);
    requireMemory(resultBytes(static_cast<std::uint64_t>(tokens->patches()), sequence.frames.size(), configurations.size() + (settings.baselines ? 2 : 0)),
                  "the results of " + std::to_string(sequence.frames.size()) + " frames");
    report::ReuseReport report;
    report.sequence = sequence.name;
    report.gridRows = static_cast<int>(tokens->gridRows());
    report.gridColumns = static_cast<int>(tokens->gridColumns());
    report.frameCount = static_cast<int>(sequence.frames.size());
    report.threads = threadCount();
    context.setParts(static_cast<double>(configurations.size() + 1));
    const RunContext wholeContext = context.part(1, "running every frame whole");
    const auto whole = settings.whole && areOf(*settings.whole, *model, sequence, wholeContext) ? settings.whole : runWhole(model, sequence, settings.rounds, wholeContext);
    wholeContext.finish();
    const Run of{*tokens, sequence, *whole, settings};
    for (std::size_t c = 0; c < configurations.size(); ++c) {
        const Method& method = methodOf(configurations[c]);
        ReuseRun run;
        run.method = method.declaration.id;
        run.title = method.declaration.title;
        run.parameters = method.declaration.schema.complete(configurations[c].parameters);
        run.settings = settingsText(run.parameters, method.declaration.schema.defaults());
        try {
            const auto reuser = method.make({tokens, &sequence}, run.parameters);
            const std::size_t index = report.runs.size();
            runFrames(of, *reuser, run, context.part(1, method.declaration.title), [&](std::size_t frame, const FrameResult& result) {
                if (onFrame)
                    onFrame(index, frame, result);
            });
            sumUp(run);
        } catch (const Error& error) {
            if (c == 0 || error.code() == ErrorCode::Cancelled)
                throw;
            run.frames.clear();
            run.failure = error.what();
        }
        report.runs.push_back(std::move(run));
    }
    if (settings.baselines) {
        const double share = report.runs.front().macsShare;
        report.runs.push_back(baseline(of, 1));
        if (const auto every = static_cast<std::size_t>(std::clamp(std::round(1 / share), 1.0, static_cast<double>(sequence.frames.size()))); every > 1)
            report.runs.push_back(baseline(of, every));
        else
            report.warnings.push_back(configurations.front().method + " takes " + std::to_string(std::lround(100 * share)) + " % of the multiply-adds: no whole number of dropped frames costs as little.");
    }
    report.seconds = std::chrono::duration<double>(Clock::now() - start).count();
    return report;
}

report::ReuseReport sweepReuse(std::shared_ptr<const nn::Model> model, const FrameSequence& sequence, const Configuration& configuration, const std::string& parameter,
                               std::span<const ParameterValue> values, const ReuseSettings& settings, const RunContext& context)
{
    const ParameterSchema& schema = methodOf(configuration).declaration.schema;
    if (values.empty())
        throw Error(ErrorCode::InvalidParameter, "found no value, expected one at least", parameter);
    std::vector<Configuration> all;
    for (const ParameterValue& value : values) {
        schema.validate(parameter, value);
        all.push_back(configuration);
        all.back().parameters.set(parameter, value);
    }
    return runReuse(std::move(model), sequence, all, settings, context);
}

} // namespace tamis::reuse
