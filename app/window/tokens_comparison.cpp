// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/tokens_comparison.h"

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/measure/logit_metrics.h"
#include "core/tokens/reduced_forward.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

namespace tamis::app {
namespace {
using tokens::BlockTokens, tokens::Chain, tokens::Method, tokens::Trace, tokens::findMethod, tokens::methods, tokens::modelMacs;
using Clock = std::chrono::steady_clock;
constexpr double kKeeps[] = {0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3};
constexpr double kMergedShares[] = {0.15, 0.3, 0.45, 0.6, 0.75, 0.9}; ///< of the patches, over all blocks
constexpr std::size_t kFewestPasses = 3;

/// Photos as the model reads them, kept as far as there is room.
class Photos {
public:
    Photos(const measure::SampleSource& from, std::size_t bytes) : m_from(from), m_bytes(bytes), m_kept(from.count()) {}
    /// Reads all once. Those that cannot be read are named.
    void readAll(const RunContext& context, std::vector<std::string>& warnings)
    {
        std::vector<std::string> failures(m_from.count());
        parallelFor(context, m_from.count(), [&](std::size_t i) {
            try {
                m_from.load(i, m_kept[i]);
                if ((i + 1) * m_kept[i].image.size() * sizeof(float) > m_bytes)
                    m_kept[i].image = {};
            } catch (const Error& error) {
                if (error.code() == ErrorCode::Cancelled)
                    throw;
                failures[i] = error.what();
            }
        });
        for (std::size_t i = 0; i < m_from.count(); ++i)
            if (failures[i].empty())
                m_readable.push_back(i);
            else
                warnings.push_back(failures[i]);
        if (m_readable.empty())
            throw Error(ErrorCode::InvalidParameter, "holds no photo that can be read, expected one at least" + (warnings.empty() ? std::string() : ": " + warnings.front()), m_from.description());
    }
    std::size_t count() const noexcept { return m_readable.size(); }
    int label(std::size_t photo) const { return m_kept[m_readable[photo]].label; }
    /// `spare` holds it where it was not kept.
    nn::Sample sample(std::size_t photo, measure::LoadedSample& spare) const
    {
        const auto& kept = m_kept[m_readable[photo]];
        if (!kept.image.empty())
            return kept.view();
        m_from.load(m_readable[photo], spare);
        return spare.view();
    }

private:
    const measure::SampleSource& m_from;
    std::size_t m_bytes;
    std::vector<measure::LoadedSample> m_kept;
    std::vector<std::size_t> m_readable;
};

struct PhotoResult {
    std::vector<float> output;
    std::vector<BlockTokens> tokens;
};

std::vector<PhotoResult> runAll(const nn::Model& model, const Chain& chain, const Photos& photos, const RunContext& context)
{
    std::vector<PhotoResult> results(photos.count());
    parallelFor(context, photos.count(), [&](std::size_t i) {
        measure::LoadedSample spare;
        nn::Scratch scratch(false, context);
        Trace trace;
        auto& result = results[i];
        result.output.resize(static_cast<std::size_t>(model.outputWidth()));
        tokens::runReduced(model, chain, photos.sample(i, spare), {}, {result.output.data(), 1, model.outputWidth(), model.outputWidth()}, scratch, &trace);
        result.tokens = trace.tokens();
    });
    return results;
}

/// Costs and fidelity; sums in the order of the photos.
void judge(report::TokenPoint& point, const nn::ModelSpec& spec, const std::vector<PhotoResult>& whole, const std::vector<PhotoResult>& reduced, const Photos& photos)
{
    const auto source = static_cast<double>(spec.patch.prefixTokens + spec.patch.gridHeight * spec.patch.gridWidth);
    const auto count = static_cast<double>(reduced.size()), blocks = static_cast<double>(spec.blocks.size());
    double macs = 0, kl = 0, agree = 0, right = 0, labelled = 0;
    point.tokensPerLayer.assign(spec.blocks.size(), 0);
    point.tokensKept = 0;
    for (std::size_t i = 0; i < reduced.size(); ++i) {
        macs += static_cast<double>(modelMacs(spec, reduced[i].tokens));
        for (std::size_t block = 0; block < reduced[i].tokens.size(); ++block) {
            point.tokensPerLayer[block] += static_cast<double>(reduced[i].tokens[block].mlp) / count;
            point.tokensKept += static_cast<double>(reduced[i].tokens[block].mlp) / (source * blocks * count);
        }
        point.keptCounts.push_back(reduced[i].tokens.empty() ? 0 : reduced[i].tokens.back().mlp);
        if (spec.classes <= 0)
            continue;
        const auto difference = measure::compareLogits(whole[i].output, reduced[i].output);
        kl += difference.kl;
        agree += difference.agree;
        if (photos.label(i) >= 0 && photos.label(i) < spec.classes) {
            labelled += 1;
            right += measure::scoreLabel(reduced[i].output, photos.label(i)).top1;
        }
    }
    point.macs = static_cast<std::uint64_t>(std::llround(macs / count));
    if (spec.classes > 0) {
        point.kl = kl / count;
        point.agreement = agree / count;
    }
    if (labelled > 0)
        point.top1 = right / labelled;
}

double median(std::vector<double> values)
{
    std::ranges::sort(values);
    const std::size_t middle = values.size() / 2;
    return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

void measureLatency(report::TokenPoint& point, const nn::Model& model, const Chain& chain, const Photos& photos, const TokenComparisonOptions& options, const RunContext& context)
{
    if (!(options.latencySeconds > 0))
        return;
    std::vector<measure::LoadedSample> spare(static_cast<std::size_t>(options.batch));
    std::vector<nn::Sample> samples;
    for (std::size_t i = 0; i < spare.size(); ++i)
        samples.push_back(photos.sample(i % photos.count(), spare[i]));
    tokens::ReducedPass pass(model, chain);
    std::vector<Trace> traces;
    pass.run(samples, context, &traces); // warms memory
    std::vector<double> times, choosing;
    const auto start = Clock::now();
    while (times.size() < kFewestPasses || std::chrono::duration<double>(Clock::now() - start).count() < options.latencySeconds) {
        const auto before = Clock::now();
        pass.run(samples, context, &traces);
        times.push_back(std::chrono::duration<double, std::milli>(Clock::now() - before).count());
        double sum = 0;
        for (const Trace& trace : traces)
            sum += trace.reductionMs;
        choosing.push_back(sum);
    }
    point.latencyMs = median(times);
    point.matchingMs = median(choosing) / std::clamp<double>(threadCount(), 1, static_cast<double>(options.batch)); // samples run side by side
}

report::TokenPoint pointOf(const TokenConfiguration& configuration)
{
    report::TokenPoint point;
    point.method = configuration.method;
    point.title = configuration.method;
    point.parameters = configuration.parameters;
    if (const Method* method = findMethod(configuration.method)) {
        point.title = method->declaration.title;
        point.settings = tokenSettingsText(method->declaration.schema, configuration.parameters);
        point.baseline = method->baseline;
    }
    return point;
}
} // namespace

std::string tokenSettingsText(const ParameterSchema& schema, const Parameters& parameters)
{
    std::string text;
    for (const auto& spec : schema.specs())
        if (parameters.contains(spec.name) && parameters.value(spec.name) != spec.defaultValue)
            text += (text.empty() ? "" : ", ") + spec.name + " " + toText(parameters.value(spec.name));
    return text;
}

std::vector<TokenConfiguration> usualTokenConfigurations(const nn::ModelSpec& spec)
{
    std::vector<TokenConfiguration> all;
    const auto patches = static_cast<double>(spec.patch.gridHeight * spec.patch.gridWidth), blocks = std::max<double>(1, static_cast<double>(spec.blocks.size()));
    for (const Method& method : methods()) {
        if (method.trains())
            continue;
        const auto& schema = method.declaration.schema;
        const auto add = [&](const std::string& name, ParameterValue value) {
            TokenConfiguration made{method.declaration.id, {}};
            made.parameters.set(name, std::move(value));
            all.push_back(std::move(made));
        };
        const ParameterSpec *keep = schema.find("keep"), *r = schema.find("r");
        if (keep && keep->type == ParameterType::Real) {
            for (const double share : kKeeps)
                if (share >= keep->minimum && share <= keep->maximum)
                    add("keep", share);
        } else if (r && r->type == ParameterType::Integer) {
            std::int64_t last = -1;
            for (const double share : kMergedShares) {
                const auto count = std::clamp<std::int64_t>(std::llround(share * patches / blocks), 1, static_cast<std::int64_t>(r->maximum));
                if (count != std::exchange(last, count))
                    add("r", count);
            }
        } else if (const auto* most = schema.find("most"); most && most->type == ParameterType::Integer) {
            for (const double share : kKeeps)
                add("most", std::clamp<std::int64_t>(std::llround(share * patches), 1, static_cast<std::int64_t>(most->maximum)));
        } else if (!schema.find("file")) { // what only a file of the user's says
            all.push_back({method.declaration.id, {}});
        }
    }
    return all;
}

report::TokenComparison compareTokenMethods(const tokens::Inputs& inputs, const measure::SampleSource& samples, const std::vector<TokenConfiguration>& configurations,
                                          const TokenComparisonOptions& options, const RunContext& context, const std::function<void(const report::TokenComparison&)>& finished)
{
    const nn::Model& model = *inputs.model;
    tokens::requireReducible(model, {});
    if (options.batch < 1)
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(options.batch) + ", expected at least 1", "batch");
    context.setParts(static_cast<double>(configurations.size()) + 2);
    report::TokenComparison comparison;
    comparison.samples = samples.description();
    comparison.batch = options.batch;
    comparison.planned = configurations.size() + 1;
    Photos photos(samples, options.sampleBytes);
    photos.readAll(context.part(1, "photos"), comparison.warnings);
    comparison.photos = static_cast<std::int64_t>(photos.count());
    std::vector<PhotoResult> whole;
    const auto measure = [&](report::TokenPoint& point, const Chain& chain, const RunContext& part) {
        auto results = runAll(model, chain, photos, part);
        if (comparison.points.empty())
            whole = std::move(results);
        judge(point, model.spec(), whole, comparison.points.empty() ? whole : results, photos);
        measureLatency(point, model, chain, photos, options, part);
    };
    report::TokenPoint first;
    first.title = "Whole model";
    first.baseline = true;
    measure(first, {}, context.part(1, "whole model"));
    comparison.points.push_back(std::move(first));
    for (const auto& configuration : configurations) {
        context.throwIfStopped();
        if (finished)
            finished(comparison);
        auto point = pointOf(configuration);
        const RunContext part = context.part(1, point.title);
        try {
            const Method* method = findMethod(configuration.method);
            if (!method)
                throw Error(ErrorCode::InvalidParameter, "is not a method of the token lab", configuration.method);
            point.parameters = method->declaration.schema.complete(configuration.parameters);
            measure(point, method->chain(inputs, point.parameters, part), part);
        } catch (const Error& error) {
            if (error.code() == ErrorCode::Cancelled)
                throw;
            point = pointOf(configuration);
            point.failure = error.what();
        }
        comparison.points.push_back(std::move(point));
    }
    if (finished)
        finished(comparison);
    return comparison;
}

} // namespace tamis::app
