// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/comparison.h"

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/measure/forward.h"
#include "core/tokens/folder_run.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace tamis::tokens {
namespace {
constexpr double kKeeps[] = {0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2};
constexpr double kMergedShares[] = {0.15, 0.3, 0.45, 0.6, 0.75, 0.9}; ///< of the patches, over all blocks
constexpr int kFewestRounds = 3;

/// Photos that can be read, as the model reads them, kept as far as there is room. Thread-safe once they are read.
class ReadPhotos : public measure::SampleSource {
public:
    /// `from` and `model` outlive it.
    ReadPhotos(const measure::SampleSource& from, const nn::Model& model, std::size_t bytes) : m_from(from), m_model(model), m_bytes(bytes), m_kept(from.count()) {}

    /// Reads all once. Photos that cannot be read and labels beyond the classes are named.
    void readAll(const RunContext& context, std::vector<std::string>& warnings)
    {
        std::vector<std::string> failures(m_from.count());
        parallelFor(context, m_from.count(), [&](std::size_t i) {
            try {
                measure::loadChecked(m_from, i, m_model, m_kept[i]);
                if ((i + 1) * m_kept[i].image.size() * sizeof(float) > m_bytes)
                    m_kept[i].image = {};
            } catch (const Error& error) {
                if (error.code() == ErrorCode::Cancelled)
                    throw;
                failures[i] = error.what();
            }
        });
        const auto classes = m_model.spec().classes;
        for (std::size_t i = 0; i < m_from.count(); ++i) {
            if (!failures[i].empty()) {
                warnings.push_back(failures[i]);
                continue;
            }
            m_readable.push_back(i);
            if (int& label = m_kept[i].label; label >= classes) {
                if (classes > 0)
                    warnings.push_back(m_from.name(i) + ": found label " + std::to_string(label) + ", expected one of the model's " + std::to_string(classes) + " classes: the label is left out");
                label = -1;
            }
        }
        if (m_readable.empty())
            throw Error(ErrorCode::InvalidParameter, "holds no photo that can be read, expected one at least" + (warnings.empty() ? std::string() : ": " + warnings.front()), m_from.description());
    }
    std::size_t count() const noexcept override { return m_readable.size(); }
    std::string name(std::size_t index) const override { return m_from.name(m_readable[index]); }
    void load(std::size_t index, measure::LoadedSample& sample) const override
    {
        const auto& kept = m_kept[m_readable[index]];
        if (kept.image.empty()) {
            m_from.load(m_readable[index], sample);
            sample.label = kept.label;
        } else {
            sample = kept;
        }
    }
    std::string description() const override { return m_from.description(); }
    std::string sha256(const RunContext& context) const override { return m_from.sha256(context); }

private:
    const measure::SampleSource& m_from;
    const nn::Model& m_model;
    std::size_t m_bytes;
    std::vector<measure::LoadedSample> m_kept;
    std::vector<std::size_t> m_readable;
};

report::TokenPoint pointOf(const ComparedSetting& setting)
{
    report::TokenPoint point;
    point.method = setting.method;
    point.title = setting.method;
    point.parameters = setting.parameters;
    if (const Method* method = findMethod(setting.method)) {
        point.title = method->declaration.title;
        const auto& after = method->afterTraining;
        for (const auto& spec : method->declaration.schema.specs()) // what was said, defaults too: it is what points differ by
            if (setting.parameters.contains(spec.name) && (!setting.trained || std::ranges::find(after, spec.name) != after.end()))
                point.settings += (point.settings.empty() ? "" : ", ") + spec.name + " " + toText(setting.parameters.value(spec.name));
        point.baseline = method->baseline;
    }
    return point;
}

/// Takes the times of a chain beside those of the whole model.
class Stopwatch {
public:
    Stopwatch(const nn::Model& model, const measure::SampleSource& photos, const ComparisonOptions& options)
        : m_model(model), m_photos(photos), m_options{.batch = options.batch, .rounds = kFewestRounds, .seconds = options.latencySeconds}
    {
    }
    void measure(report::TokenPoint& point, const Chain& chain, const RunContext& context) const
    {
        if (!(m_options.seconds > 0))
            return;
        const Latency latency = measureLatency(m_model, chain, m_photos, m_options, context);
        point.latencyMs = latency.reducedMs;
        point.wholeLatencyMs = latency.wholeMs;
        point.matchingMs = latency.matchingMs;
    }

private:
    const nn::Model& m_model;
    const measure::SampleSource& m_photos;
    LatencyOptions m_options;
};

/// Everything of the point but what names it and times.
void takeRun(report::TokenPoint& point, FolderRun run)
{
    report::TokenPoint measured = std::move(run.point);
    measured.method = std::move(point.method);
    measured.title = std::move(point.title);
    measured.settings = std::move(point.settings);
    measured.parameters = std::move(point.parameters);
    measured.baseline = point.baseline;
    measured.embeddingShift = run.embeddingShift;
    point = std::move(measured);
}
} // namespace

std::string settingsText(const ParameterSchema& schema, const Parameters& parameters)
{
    std::string text;
    for (const auto& spec : schema.specs())
        if (parameters.contains(spec.name) && parameters.value(spec.name) != spec.defaultValue)
            text += (text.empty() ? "" : ", ") + spec.name + " " + toText(parameters.value(spec.name));
    return text;
}

std::vector<ComparedSetting> spreadSettings(const Method& method, const Parameters& given, const nn::ModelSpec& spec)
{
    const auto patches = static_cast<double>(spec.patch.gridHeight * spec.patch.gridWidth), blocks = std::max<double>(1, static_cast<double>(spec.blocks.size()));
    const auto& schema = method.declaration.schema;
    const ComparedSetting base{method.declaration.id, given};
    std::vector<ComparedSetting> all;
    if (const std::vector<Parameters> own = method.spread ? method.spread(spec) : std::vector<Parameters>(); !own.empty()) {
        if (std::ranges::any_of(own.front().all(), [&](const auto& entry) { return given.contains(entry.first); }))
            return {base};
        for (const Parameters& each : own) {
            all.push_back(base);
            for (const auto& [name, value] : each.all())
                all.back().parameters.set(name, value);
        }
        return all;
    }
    const auto add = [&](const std::string& name, ParameterValue value) {
        ComparedSetting made = base;
        made.parameters.set(name, std::move(value));
        if (all.empty() || all.back().parameters != made.parameters)
            all.push_back(std::move(made));
    };
    const auto named = [&](const char* name, ParameterType type) {
        const ParameterSpec* found = schema.find(name);
        return found && found->type == type ? found : nullptr;
    };
    const auto counted = [&](const ParameterSpec& of, double count) { return std::clamp(static_cast<std::int64_t>(std::llround(count)), std::max<std::int64_t>(1, static_cast<std::int64_t>(of.minimum)), static_cast<std::int64_t>(of.maximum)); };
    const ParameterSpec *keep = named("keep", ParameterType::Real), *r = named("r", ParameterType::Integer), *most = named("most", ParameterType::Integer);
    const ParameterSpec* traded = keep ? keep : r ? r : most;
    if (!traded || given.contains(traded->name))
        return {base};
    if (traded == keep) {
        for (const double share : kKeeps)
            if (share >= keep->minimum && share <= keep->maximum)
                add("keep", share);
    } else if (traded == r) {
        for (const double share : kMergedShares)
            add("r", counted(*r, share * patches / blocks));
    } else {
        for (const double share : kKeeps)
            add("most", counted(*most, share * patches));
    }
    return all.empty() ? std::vector{base} : all;
}

std::vector<ComparedSetting> usualSettings(const nn::ModelSpec& spec)
{
    std::vector<ComparedSetting> all;
    for (const Method& method : methods())
        if (!method.trains() && !method.declaration.schema.find("file")) // what only a file of the user's says
            for (auto& each : spreadSettings(method, {}, spec))
                all.push_back(std::move(each));
    return all;
}

std::vector<ComparedSetting> trainedSettings(std::shared_ptr<const TrainedParts> trained, const nn::ModelSpec& spec)
{
    const Method* method = findMethod(trained->method);
    if (!method || !method->trains())
        throw Error(ErrorCode::InvalidParameter, "found parts of " + trained->method + ", expected those of a method that trains");
    const Parameters complete = method->declaration.schema.complete(trained->parameters);
    Parameters fixed; // what another training would be asked for
    for (const auto& [name, value] : complete.all())
        if (std::ranges::find(method->afterTraining, name) == method->afterTraining.end())
            fixed.set(name, value);
    std::vector<ComparedSetting> all{{trained->method, complete, trained}};
    for (ComparedSetting& each : spreadSettings(*method, fixed, spec))
        if (const Parameters tried = method->declaration.schema.complete(each.parameters); tried != complete)
            all.push_back({trained->method, tried, trained});
    return all;
}

report::TokenComparison compareMethods(const Inputs& inputs, const measure::SampleSource& samples, const std::vector<ComparedSetting>& settings, const ComparisonOptions& options,
                                       const RunContext& context, const std::function<void(const report::TokenComparison&)>& finished)
{
    const nn::Model& model = *inputs.model;
    requireReducible(model, {});
    if (options.batch < 1)
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(options.batch) + ", expected at least 1", "batch");
    context.setParts(static_cast<double>(settings.size()) + 2);
    report::TokenComparison comparison;
    comparison.samples = samples.description();
    comparison.batch = options.batch;
    comparison.planned = settings.size() + 1;
    ReadPhotos photos(samples, model, options.sampleBytes);
    photos.readAll(context.part(1, "photos"), comparison.warnings);
    comparison.photos = static_cast<std::int64_t>(photos.count());
    const Stopwatch stopwatch(model, photos, options);
    const RunContext first = context.part(1, "whole model");
    first.setParts(2);
    const WholeFolder whole = wholeFolder(model, photos, first.part(1, "photos"));
    comparison.points.push_back(wholePoint(model, whole));
    stopwatch.measure(comparison.points.back(), {}, first.part(1, "latency"));
    for (const auto& setting : settings) {
        context.throwIfStopped();
        if (finished)
            finished(comparison);
        auto point = pointOf(setting);
        const RunContext part = context.part(1, point.title);
        part.setParts(3);
        try {
            const Method* method = findMethod(setting.method);
            if (!method)
                throw Error(ErrorCode::InvalidParameter, "is not a method of the token lab", setting.method);
            point.parameters = method->declaration.schema.complete(setting.parameters);
            Inputs own = inputs;
            own.trained = setting.trained;
            const Chain chain = method->chain(own, point.parameters, part.part(1, "preparing"));
            takeRun(point, runFolder(model, chain, photos, whole, part.part(1, "photos")));
            stopwatch.measure(point, chain, part.part(1, "latency"));
        } catch (const Error& error) {
            if (error.code() == ErrorCode::Cancelled)
                throw;
            point = pointOf(setting);
            point.failure = error.what();
        }
        comparison.points.push_back(std::move(point));
    }
    if (finished)
        finished(comparison);
    return comparison;
}

double comparedQuality(const report::TokenComparison& comparison, const report::TokenPoint& point)
{
    if (!comparison.points.empty() && std::isfinite(comparison.points.front().top1))
        return point.top1;
    return std::isfinite(point.agreement) ? point.agreement : 1 - point.embeddingShift;
}

std::vector<bool> paretoFront(const report::TokenComparison& comparison)
{
    std::vector<bool> front;
    for (const auto& point : comparison.points) {
        const double quality = comparedQuality(comparison, point);
        front.push_back(point.failure.empty() && std::isfinite(quality) && std::ranges::none_of(comparison.points, [&](const report::TokenPoint& other) {
                            const double its = comparedQuality(comparison, other);
                            return other.failure.empty() && other.macs <= point.macs && its >= quality && (other.macs < point.macs || its > quality);
                        }));
    }
    return front;
}

} // namespace tamis::tokens
