// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/folder_run.h"

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/measure/forward.h"
#include "core/measure/logit_metrics.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <mutex>

namespace tamis::tokens {
namespace {
using measure::LoadedSample;

/// Calls body for every sample: samples in parallel where there are as many as threads, else each one's operators.
void forEachSample(const nn::Model& model, const measure::SampleSource& source, const RunContext& context, const std::function<void(std::size_t, const LoadedSample&, nn::Scratch&)>& body)
{
    const std::size_t count = source.count();
    const bool inside = count < static_cast<std::size_t>(threadCount());
    measure::ScratchPool pool(inside, context);
    std::size_t done = 0;
    std::mutex mutex;
    const auto one = [&](std::size_t i) {
        const measure::ScratchPool::Lease scratch(pool);
        LoadedSample sample;
        measure::loadChecked(source, i, model, sample);
        try {
            body(i, sample, *scratch);
        } catch (const Error& error) {
            if (error.code() != ErrorCode::NonFinite)
                throw;
            throw Error(error.code(), error.message(), source.name(i));
        }
        const std::scoped_lock lock(mutex);
        context.setFraction(static_cast<double>(++done) / static_cast<double>(count));
    };
    if (!inside)
        return parallelFor(context, count, one);
    for (std::size_t i = 0; i < count; ++i) {
        context.throwIfStopped();
        one(i);
    }
}

void requireFinite(std::span<const float> output)
{
    if (!std::ranges::all_of(output, [](float value) { return std::isfinite(value); }))
        throw Error(ErrorCode::NonFinite, "found NaN or infinity in the model's output, expected numbers");
}

double meanTop1(const std::vector<int>& labels, const std::function<bool(std::size_t)>& isRight)
{
    double right = 0, labelled = 0;
    for (std::size_t i = 0; i < labels.size(); ++i)
        if (labels[i] >= 0) {
            labelled += 1;
            right += isRight(i) ? 1 : 0;
        }
    return labelled > 0 ? right / labelled : report::kNotMeasured;
}

report::ClassProbability bestOf(std::span<const float> logits)
{
    const std::vector<int> classes = measure::bestClasses(logits, 1);
    return {classes[0], {}, static_cast<double>(measure::probabilities(logits, classes)[0])};
}

double median(std::vector<double> values)
{
    std::ranges::sort(values);
    return values.size() % 2 == 1 ? values[values.size() / 2] : 0.5 * (values[values.size() / 2 - 1] + values[values.size() / 2]);
}

template <class Function> double milliseconds(Function&& function)
{
    const auto start = std::chrono::steady_clock::now();
    function();
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

double mean(std::span<const float> values)
{
    double sum = 0;
    for (const float value : values)
        sum += static_cast<double>(value);
    return values.empty() ? report::kNotMeasured : sum / static_cast<double>(values.size());
}

/// Means over the photos, in their order.
void summarise(FolderRun& run, const nn::Model& model)
{
    const auto photos = static_cast<double>(run.photos.size());
    const auto sources = static_cast<double>(model.spec().tokens(0));
    report::TokenPoint& point = run.point;
    point.tokensPerLayer.assign(model.blocks().size(), 0);
    double macs = 0, unmerged = 0, withGrid = 0;
    run.embeddingShift = 0;
    for (const PhotoRun& photo : run.photos) {
        macs += static_cast<double>(photo.macs);
        run.embeddingShift += photo.embeddingShift / photos;
        if (std::isfinite(photo.unmergedShift)) {
            unmerged += photo.unmergedShift;
            withGrid += 1;
        }
        for (std::size_t block = 0; block < photo.tokens.size(); ++block)
            point.tokensPerLayer[block] += static_cast<double>(photo.tokens[block].mlp);
        const auto last = std::ranges::find_if(photo.tokens.rbegin(), photo.tokens.rend(), [](const BlockTokens& block) { return block.mlp > 0; });
        point.keptCounts.push_back(last == photo.tokens.rend() ? 0 : last->mlp);
    }
    point.macs = static_cast<std::uint64_t>(std::llround(macs / photos));
    if (withGrid > 0)
        run.unmergedShift = unmerged / withGrid;
    point.tokensKept = 0;
    for (double& tokens : point.tokensPerLayer) {
        tokens /= photos;
        point.tokensKept += tokens / (sources * static_cast<double>(point.tokensPerLayer.size()));
    }
}
} // namespace

WholeFolder wholeFolder(const nn::Model& model, const measure::SampleSource& source, const RunContext& context)
{
    requireReducible(model, {});
    if (source.count() == 0)
        throw Error(ErrorCode::InvalidParameter, "found no photo, expected one at least");
    WholeFolder whole;
    whole.photos.resize(source.count());
    whole.labels.resize(source.count(), -1);
    forEachSample(model, source, context, [&](std::size_t i, const LoadedSample& sample, nn::Scratch& scratch) {
        if (sample.label >= 0 && sample.label >= model.spec().classes)
            throw Error(ErrorCode::InvalidParameter, "found label " + std::to_string(sample.label) + ", expected one of the model's " + std::to_string(model.spec().classes) + " classes", source.name(i));
        whole.photos[i] = wholeResult(model, sample.view(), scratch);
        requireFinite(whole.photos[i].output);
        whole.photos[i].rows = {}; // a folder's would be much memory
        whole.labels[i] = sample.label;
    });
    if (model.spec().classes > 0)
        whole.top1 = meanTop1(whole.labels, [&](std::size_t i) { return bestOf(whole.photos[i].output).index == whole.labels[i]; });
    return whole;
}

FolderRun runFolder(const nn::Model& model, const Chain& chain, const measure::SampleSource& source, const WholeFolder& whole, const RunContext& context, const nn::Model* unmergedAgainst)
{
    requireReducible(model, chain);
    if (whole.photos.size() != source.count())
        throw Error(ErrorCode::InvalidParameter, "found results of the whole model for " + std::to_string(whole.photos.size()) + " photos, expected " + std::to_string(source.count()));
    const bool classes = model.spec().classes > 0;
    FolderRun run;
    run.photos.resize(source.count());
    std::vector<measure::LogitDifference> differences(source.count());
    forEachSample(model, source, context, [&](std::size_t i, const LoadedSample& sample, nn::Scratch& scratch) {
        Trace trace;
        std::vector<float> output(static_cast<std::size_t>(model.outputWidth()));
        runReduced(model, chain, sample.view(), {}, {output.data(), 1, model.outputWidth(), model.outputWidth()}, scratch, &trace);
        requireFinite(output);
        PhotoRun& photo = run.photos[i];
        photo.file = source.name(i);
        photo.label = sample.label;
        photo.tokens = trace.tokens();
        photo.macs = trace.macs;
        photo.remark = trace.remark;
        const auto last = std::ranges::find_if(trace.layers.rbegin(), trace.layers.rend(), [](const TracedLayer& layer) { return layer.tokens.mlp > 0; }); // the rest was not run
        photo.row = last == trace.layers.rend() ? trace.layers.back().set.row : last->set.row;
        photo.embeddingShift = cosineShift(whole.photos[i].features, trace.features);
        if (unmergedAgainst && !trace.rows.empty())
            photo.unmergedShift = mean(unmergedShift(trace, wholeResult(*unmergedAgainst, sample.view(), scratch).rows.view()));
        if (classes) {
            photo.before = bestOf(whole.photos[i].output);
            photo.after = bestOf(output);
            differences[i] = measure::compareLogits(whole.photos[i].output, output);
        }
    });
    summarise(run, model);
    if (classes) {
        run.point.top1 = meanTop1(whole.labels, [&](std::size_t i) { return run.photos[i].after.index == whole.labels[i]; });
        run.point.agreement = run.point.kl = 0;
        for (const measure::LogitDifference& difference : differences) {
            run.point.agreement += difference.agree ? 1.0 : 0.0;
            run.point.kl += difference.kl;
        }
        run.point.agreement /= static_cast<double>(differences.size());
        run.point.kl /= static_cast<double>(differences.size());
    }
    return run;
}

report::TokenPoint wholePoint(const nn::Model& model, const WholeFolder& whole)
{
    const auto tokens = static_cast<double>(model.spec().tokens(0));
    report::TokenPoint point;
    point.title = "Whole model";
    point.macs = modelMacs(model.spec(), wholeTokens(model.spec()));
    point.top1 = whole.top1;
    point.embeddingShift = 0;
    if (model.spec().classes > 0) {
        point.agreement = 1;
        point.kl = 0;
    }
    point.tokensPerLayer.assign(model.blocks().size(), tokens);
    point.keptCounts.assign(whole.photos.size(), static_cast<std::int64_t>(tokens));
    point.baseline = true;
    return point;
}

Latency measureLatency(const nn::Model& model, const Chain& chain, const measure::SampleSource& source, const LatencyOptions& options, const RunContext& context)
{
    if (options.batch < 1 || options.rounds < 1 || source.count() == 0)
        throw Error(ErrorCode::InvalidParameter, "found a batch of " + std::to_string(options.batch) + " of " + std::to_string(source.count()) + " photos in " + std::to_string(options.rounds) +
                                                     " rounds, expected 1 at least of each");
    std::vector<LoadedSample> loaded(std::min(source.count(), static_cast<std::size_t>(options.batch)));
    for (std::size_t i = 0; i < loaded.size(); ++i)
        measure::loadChecked(source, i, model, loaded[i]);
    std::vector<nn::Sample> samples;
    for (std::int64_t i = 0; i < options.batch; ++i)
        samples.push_back(loaded[static_cast<std::size_t>(i) % loaded.size()].view());
    nn::ForwardPass whole(model);
    ReducedPass reduced(model, chain);
    std::vector<double> wholeTimes, reducedTimes, matching;
    const auto seconds = [start = std::chrono::steady_clock::now()] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(); };
    for (int round = -1; round < options.rounds || seconds() < options.seconds; ++round) { // the first takes the memory
        std::vector<Trace> traces;
        const double first = milliseconds([&] { whole.run(samples, context); });
        const double second = milliseconds([&] { reduced.run(samples, context); });
        reduced.run(samples, context, &traces); // clocks inside cost time of their own
        double sum = 0;
        for (const Trace& trace : traces)
            sum += trace.reductionMs;
        context.setFraction(std::min(1.0, static_cast<double>(round + 2) / (options.rounds + 1)));
        if (round < 0)
            continue;
        wholeTimes.push_back(first);
        reducedTimes.push_back(second);
        const int atOnce = samples.size() < static_cast<std::size_t>(threadCount()) ? 1 : threadCount();
        matching.push_back(sum / atOnce);
    }
    return {median(wholeTimes), median(reducedTimes), median(matching)};
}

} // namespace tamis::tokens
