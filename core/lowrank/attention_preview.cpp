// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/attention_preview.h"

#include "core/base/error.h"
#include "core/lowrank/attention_errors.h"
#include "core/lowrank/joint_qk.h"
#include "core/lowrank/targets.h"
#include "core/lowrank/whitened_rows.h"
#include "core/measure/forward.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <list>
#include <map>
#include <set>

namespace tamis::lowrank {
namespace {
using report::MapSource;
using tensor::Matrix;
constexpr std::size_t kKeptBytes = std::size_t{256} << 20; ///< of runs
constexpr std::size_t kMostAveraged = 64;
constexpr std::int64_t kQuickWidth = 320; ///< a layer of at most this width is prepared within a first picture

std::int64_t fullRank(const nn::Block& block, std::int64_t heads)
{
    return std::min(heads * block.spec.attention.headDim, block.spec.width);
}

/// Rank at which a pair of factors holds half the parameters of an m x n matrix.
std::int64_t halvingRank(std::int64_t m, std::int64_t n) { return std::max<std::int64_t>(1, m * n / (2 * (m + n))); }

bool isRotary(const nn::Model& model)
{
    return std::ranges::any_of(model.blocks(), [](const nn::Block& block) { return block.spec.attention.rope.enabled; });
}

std::size_t bytesOf(const SampleRun& run)
{
    std::size_t floats = run.features.size();
    for (std::size_t b = 0; b < run.blockInputs.size(); ++b) {
        const auto input = run.attention[b].input();
        floats += run.blockInputs[b].size() + run.blockOutputs[b].size() + static_cast<std::size_t>(input.q.rows * (input.q.cols + 2 * input.k.cols));
    }
    return 4 * floats;
}

void addErrors(report::MapErrors& sum, const report::MapErrors& one, std::size_t before)
{
    const auto add = [before](double& mean, double value) {
        mean = before == 0 ? value : mean + (value - mean) / static_cast<double>(before + 1);
    };
    add(sum.map, one.map);
    add(sum.logit, one.logit);
    add(sum.output, one.output);
}
} // namespace

ParameterSchema attentionMapSchema(const nn::Model& model, std::size_t samples)
{
    std::int64_t mostQuery = 1, mostKey = 1, query = 1, key = 1;
    for (const nn::Block& block : model.blocks()) {
        const nn::AttentionSpec& spec = block.spec.attention;
        mostQuery = std::max(mostQuery, fullRank(block, spec.heads));
        mostKey = std::max(mostKey, fullRank(block, spec.keyValueHeads));
        query = std::max(query, halvingRank(spec.heads * spec.headDim, block.spec.width));
        key = std::max(key, halvingRank(spec.keyValueHeads * spec.headDim, block.spec.width));
    }
    const auto rank = [](const char* name, const char* title, std::int64_t value, std::int64_t most, const char* help) {
        return ParameterSpec{.name = name, .title = title, .type = ParameterType::Integer, .defaultValue = value, .minimum = 1, .maximum = static_cast<double>(most),
                             .step = 1, .unit = {}, .help = help, .choices = {}};
    };
    std::vector<ParameterSpec> specs{rank("query-rank", "Query rank r_q", query, mostQuery, "Directions of the plane that all queries of a layer go through"),
                                     rank("key-rank", "Key rank r_k", key, mostKey, "Directions of the plane that all keys of a layer go through")};
    const bool rotary = isRotary(model);
    for (ParameterSpec& spec : jointQkParameters())
        if (rotary || (spec.name != "window" && spec.name != "distribution" && spec.name != "decay"))
            specs.push_back(std::move(spec));
    specs.push_back({.name = "scope", .title = "Replaced", .type = ParameterType::Choice, .defaultValue = std::string("all layers"), .unit = {},
                     .help = "What runs approximate when the effect on the output is measured", .choices = {"all layers", "this layer"}});
    specs.push_back({.name = "states", .title = "Hidden states", .type = ParameterType::Choice, .defaultValue = std::string("dense"), .unit = {},
                     .help = "What maps are made from: the dense model's hidden states, or those of the approximate model (own)", .choices = {"dense", "own"}});
    specs.push_back({.name = "average", .title = "Average over", .type = ParameterType::Integer, .defaultValue = std::int64_t{1}, .minimum = 1,
                     .maximum = static_cast<double>(std::clamp<std::size_t>(samples, 1, kMostAveraged)), .step = 1, .unit = "samples",
                     .help = "The heads' errors are means over the shown sample and others, spread evenly", .choices = {}});
    return ParameterSchema(std::move(specs));
}

struct AttentionPreview::State {
    struct Layer {
        JointQk joint;
        WhitenedRows query, key;
        nn::LinearPtr value; ///< of a fused projection: packed once; null elsewhere
    };
    struct Solved {
        std::int64_t queryRank = 0, keyRank = 0;
        std::vector<nn::Model::Replacement> operators;
    };
    struct KeptRun {
        std::size_t sample = 0;
        std::shared_ptr<const SampleRun> run;
    };
    /// The models of one source, and what they made of one sample.
    struct Candidate {
        MapSource source = MapSource::Joint;
        std::shared_ptr<const nn::Model> everywhere; ///< every layer replaced
        std::shared_ptr<const nn::Model> scoped;     ///< as "scope" says
    };

    explicit State(Inputs given) : inputs(std::move(given)) {}
    std::int64_t queryRank(const Parameters& p, int layer) const;
    std::int64_t keyRank(const Parameters& p, int layer) const;
    const Layer& layer(int index, const Parameters& p, const RunContext& context);
    bool prepared(int index, const Parameters& p) const;
    std::vector<nn::Model::Replacement> operators(MapSource source, int index, const Parameters& p, const RunContext& context);
    std::shared_ptr<const SampleRun> keptRun(std::size_t sample);
    std::shared_ptr<const SampleRun> run(std::size_t sample, const RunContext& context);
    AttentionMapRequest completed(AttentionMapRequest request) const;
    report::AttentionMapReport frame(const AttentionMapRequest& request, const SampleRun& dense, const RunContext& context);
    Candidate candidate(MapSource source, const AttentionMapRequest& request, const RunContext& context);
    void showMaps(report::AttentionMapReport& report, const AttentionCopy& exact, const AttentionCopy& other) const;
    void addSample(report::AttentionMapReport& report, const AttentionMapRequest& request, const std::vector<Candidate>& candidates, std::size_t sample,
                   const RunContext& context);

    Inputs inputs;
    ParameterSchema schema;
    Parameters preparedWith;      ///< the values of jointQkParameters() that m_layers are of
    std::map<int, Layer> layers;
    std::map<std::pair<MapSource, int>, Solved> solved;
    std::list<KeptRun> runs; ///< most recent first
};

namespace {
Parameters preparation(const Parameters& p)
{
    Parameters part;
    for (const ParameterSpec& spec : jointQkParameters())
        if (p.contains(spec.name))
            part.set(spec.name, p.value(spec.name));
    return part;
}

std::vector<MapSource> sourcesOf(const AttentionMapRequest& request)
{
    std::vector<MapSource> all{MapSource::Joint, MapSource::Separate};
    if (request.plan)
        all.push_back(MapSource::Plan);
    return all;
}

/// `count` samples, the shown one first, the others evenly spread over the rest.
std::vector<std::size_t> averagedSamples(std::size_t shown, std::size_t count, std::size_t of)
{
    std::vector<std::size_t> all{shown};
    const std::size_t others = std::min(count, of) - 1;
    for (std::size_t i = 0; i < others; ++i) {
        const std::size_t index = i * (of - 1) / others; // among those that are not shown
        all.push_back(index < shown ? index : index + 1);
    }
    return all;
}
} // namespace

std::int64_t AttentionPreview::State::queryRank(const Parameters& p, int layer) const
{
    const nn::Block& block = inputs.model->blocks()[static_cast<std::size_t>(layer)];
    return std::clamp<std::int64_t>(p.integer("query-rank"), 1, fullRank(block, block.spec.attention.heads));
}

std::int64_t AttentionPreview::State::keyRank(const Parameters& p, int layer) const
{
    const nn::Block& block = inputs.model->blocks()[static_cast<std::size_t>(layer)];
    return std::clamp<std::int64_t>(p.integer("key-rank"), 1, fullRank(block, block.spec.attention.keyValueHeads));
}

bool AttentionPreview::State::prepared(int index, const Parameters& p) const { return layers.contains(index) && preparedWith == preparation(p); }

const AttentionPreview::State::Layer& AttentionPreview::State::layer(int index, const Parameters& p, const RunContext& context)
{
    if (Parameters wanted = preparation(p); wanted != preparedWith) {
        layers.clear();
        solved.clear();
        preparedWith = std::move(wanted);
    }
    const auto found = layers.find(index);
    if (found != layers.end())
        return found->second;
    JointQk joint = JointQk::prepare(inputs, index, preparedWith, context);
    const AttentionParts& parts = joint.parts();
    const InputStatistics statistics = inputStatistics(*inputs.calibration, parts.query.name, parts.width, false, p.real("ridge"));
    WhitenedRows query(parts.query.weight, statistics.c, context), key(parts.key.weight, statistics.c, context);
    nn::LinearPtr value = parts.fused ? nn::denseOp(rounded(parts.value.weight).view(), parts.value.bias) : nullptr;
    return layers.emplace(index, Layer{std::move(joint), std::move(query), std::move(key), std::move(value)}).first->second;
}

std::vector<nn::Model::Replacement> AttentionPreview::State::operators(MapSource source, int index, const Parameters& p, const RunContext& context)
{
    const Layer& at = layer(index, p, context); // may clear what was solved
    const std::int64_t queries = queryRank(p, index), keys = keyRank(p, index);
    Solved& kept = solved[{source, index}];
    if (kept.queryRank == queries && kept.keyRank == keys)
        return kept.operators;
    std::vector<std::pair<std::string, nn::LinearPtr>> made;
    if (source == MapSource::Joint) {
        made = at.joint.solve(queries, keys, context, plan::Accounting::Factors, at.value).operators;
    } else {
        const auto factors = [](const WhitenedRows& rows, std::int64_t rank, const std::vector<float>& bias) {
            const auto f = rows.factors(rank);
            return nn::factorsOp(rounded(f.b).view(), rounded(f.a).view(), bias);
        };
        const AttentionParts& parts = at.joint.parts();
        made = asOperators(parts, factors(at.query, queries, parts.query.bias), factors(at.key, keys, parts.key.bias), at.value);
    }
    kept = {queries, keys, {}};
    for (auto& [name, op] : made)
        kept.operators.push_back({name, op});
    return kept.operators;
}

std::shared_ptr<const SampleRun> AttentionPreview::State::keptRun(std::size_t sample)
{
    const auto found = std::ranges::find(runs, sample, &KeptRun::sample);
    if (found == runs.end())
        return nullptr;
    runs.splice(runs.begin(), runs, found);
    return runs.front().run;
}

std::shared_ptr<const SampleRun> AttentionPreview::State::run(std::size_t sample, const RunContext& context)
{
    if (auto kept = keptRun(sample))
        return kept;
    measure::LoadedSample loaded;
    measure::loadChecked(*inputs.samples, sample, *inputs.model, loaded);
    runs.push_front({sample, runSample(inputs.model, loaded, context)});
    std::size_t bytes = 0;
    for (auto it = runs.begin(); it != runs.end();) {
        bytes += bytesOf(*it->run);
        it = bytes > kKeptBytes && it != runs.begin() ? runs.erase(it) : std::next(it);
    }
    return runs.front().run;
}

AttentionMapRequest AttentionPreview::State::completed(AttentionMapRequest request) const
{
    request.parameters = schema.complete(request.parameters);
    request.sample = std::min(request.sample, inputs.samples->count() - 1);
    request.layer = std::clamp(request.layer, 0, static_cast<int>(inputs.model->blocks().size()) - 1);
    const auto& block = inputs.model->blocks()[static_cast<std::size_t>(request.layer)];
    request.head = std::clamp<std::int64_t>(request.head, 0, block.spec.attention.heads - 1);
    if (request.source == MapSource::Plan && !request.plan)
        request.source = MapSource::Joint;
    return request;
}

report::AttentionMapReport AttentionPreview::State::frame(const AttentionMapRequest& request, const SampleRun& dense, const RunContext& context)
{
    report::AttentionMapReport report;
    const nn::Model& model = *inputs.model;
    const nn::Block& block = model.blocks()[static_cast<std::size_t>(request.layer)];
    const nn::AttentionSpec& spec = block.spec.attention;
    report.model = model.spec().architecture;
    report.sample = inputs.samples->name(request.sample);
    report.sampleIndex = request.sample;
    report.parameters = request.parameters;
    report.layer = request.layer;
    report.head = request.head;
    report.source = request.source;
    report.layers = static_cast<int>(model.blocks().size());
    for (const nn::Block& each : model.blocks())
        report.headsOfLayer.push_back(each.spec.attention.heads);
    report.heads = spec.heads;
    report.keyValueHeads = spec.keyValueHeads;
    const std::int64_t tokens = dense.attention[static_cast<std::size_t>(request.layer)].input().q.rows;
    report.maps = block.attention->maps(tokens);
    report.map = std::clamp<std::int64_t>(request.map, 0, report.maps - 1);
    report.tokens = block.attention->mapTokens(tokens);
    report.mostQueryRank = fullRank(block, spec.heads);
    report.mostKeyRank = fullRank(block, spec.keyValueHeads);
    report.queryRank = queryRank(request.parameters, request.layer);
    report.keyRank = keyRank(request.parameters, request.layer);
    report.rotary = spec.rope.enabled;
    report.causal = spec.causal;
    const nn::PatchSpec& patch = model.spec().patch;
    if (model.spec().vision() && block.attention->kind() == "exact") {
        report.prefixTokens = patch.prefixTokens;
        report.gridHeight = patch.gridHeight;
        report.gridWidth = patch.gridWidth;
    }
    const Layer& at = layer(request.layer, request.parameters, context);
    report.planes = {{request.layer, "query", at.joint.queryEnergy(), report.queryRank}, {request.layer, "key", at.joint.keyEnergy(), report.keyRank}};
    const std::int64_t queries = spec.heads * spec.headDim, keys = spec.keyValueHeads * spec.headDim, n = block.spec.width;
    report.cost = {.dense = n * (queries + keys), .approximate = report.queryRank * (n + queries) + report.keyRank * (n + keys)};
    report.warnings = at.joint.notices();
    report.shown.layer = request.layer;
    report.shown.head = request.head;
    return report;
}

void AttentionPreview::State::showMaps(report::AttentionMapReport& report, const AttentionCopy& exact, const AttentionCopy& other) const
{
    const auto values = [&](const AttentionCopy& side) {
        const Matrix<float> map = side.block->attention->map(side.input(), report.head, report.map);
        return std::vector<float>(map.values().begin(), map.values().end());
    };
    report.exact = values(exact);
    report.approximate = values(other);
}

AttentionPreview::State::Candidate AttentionPreview::State::candidate(MapSource source, const AttentionMapRequest& request, const RunContext& context)
{
    if (source == MapSource::Plan)
        return {source, request.plan, request.plan};
    std::vector<nn::Model::Replacement> all;
    for (std::size_t index = 0; index < inputs.model->blocks().size(); ++index)
        for (auto& one : operators(source, static_cast<int>(index), request.parameters, context))
            all.push_back(std::move(one));
    Candidate made{source, inputs.model->replaced(all), {}};
    made.scoped = request.parameters.text("scope") == "this layer" ? inputs.model->replaced(operators(source, request.layer, request.parameters, context))
                                                                     : made.everywhere;
    return made;
}

void AttentionPreview::State::addSample(report::AttentionMapReport& report, const AttentionMapRequest& request, const std::vector<Candidate>& candidates,
                                        std::size_t sample, const RunContext& context)
{
    const auto dense = run(sample, context);
    const bool own = request.parameters.text("states") == "own";
    const bool shown = sample == request.sample;
    const std::size_t blocks = inputs.model->blocks().size();
    std::vector<std::vector<BlockRun>> alone(candidates.size());
    std::vector<std::shared_ptr<const SampleRun>> through(candidates.size());
    measure::LoadedSample loaded;
    if (shown || own)
        measure::loadChecked(*inputs.samples, sample, *inputs.model, loaded);
    for (std::size_t c = 0; c < candidates.size(); ++c) {
        if (shown || !own)
            for (std::size_t b = 0; b < blocks; ++b)
                alone[c].push_back(runBlockOn(*candidates[c].everywhere, *dense, static_cast<int>(b), context));
        if (!shown && !own)
            continue;
        through[c] = runSample(candidates[c].scoped, loaded, context);
        if (shown) {
            std::vector<Matrix<float>> outputs;
            for (const BlockRun& one : alone[c])
                outputs.push_back(one.output);
            report.effects.push_back(outputEffect(*dense, *through[c], outputs, context));
            report.effects.back().source = candidates[c].source;
        }
    }
    std::size_t at = 0;
    for (std::size_t b = 0; b < blocks; ++b) {
        std::vector<const AttentionCopy*> others;
        for (std::size_t c = 0; c < candidates.size(); ++c)
            others.push_back(own ? &through[c]->attention[b] : &alone[c][b].attention);
        const auto errors = headErrors(dense->attention[b], others, 0, -1, context);
        for (std::size_t h = 0; h < errors.front().size(); ++h, ++at) {
            if (report.allHeads.size() == at)
                report.allHeads.push_back({.layer = static_cast<int>(b), .head = static_cast<std::int64_t>(h), .joint = {}, .separate = {}, .plan = {}});
            for (std::size_t c = 0; c < candidates.size(); ++c)
                addErrors(report.allHeads[at].of(candidates[c].source), errors[c][h], report.averagedSamples);
        }
        if (!shown || b != static_cast<std::size_t>(request.layer))
            continue;
        for (std::size_t c = 0; c < candidates.size(); ++c) {
            report.shown.of(candidates[c].source) = errors[c][static_cast<std::size_t>(request.head)];
            if (candidates[c].source == request.source)
                showMaps(report, dense->attention[b], *others[c]);
        }
    }
    ++report.averagedSamples;
}

AttentionPreview::AttentionPreview(Inputs inputs) : m_state(std::make_unique<State>(std::move(inputs)))
{
    const Inputs& in = m_state->inputs;
    if (!in.checkpoint || !in.model || !in.calibration || !in.samples || in.samples->count() == 0)
        throw Error(ErrorCode::InvalidParameter, "attention maps need a model, a calibration set and at least one sample");
    m_state->schema = attentionMapSchema(*in.model, in.samples->count());
}

AttentionPreview::~AttentionPreview() = default;
const Inputs& AttentionPreview::inputs() const noexcept { return m_state->inputs; }
const ParameterSchema& AttentionPreview::schema() const noexcept { return m_state->schema; }

std::optional<report::AttentionMapReport> AttentionPreview::first(const AttentionMapRequest& given)
{
    State& s = *m_state;
    const auto started = std::chrono::steady_clock::now();
    const AttentionMapRequest request = s.completed(given);
    const auto dense = s.keptRun(request.sample);
    const bool quick = s.prepared(request.layer, request.parameters) || s.inputs.model->blocks()[static_cast<std::size_t>(request.layer)].spec.width <= kQuickWidth;
    if (!dense || !quick || request.parameters.text("states") == "own")
        return std::nullopt;
    const RunContext context;
    report::AttentionMapReport report = s.frame(request, *dense, context);
    const auto model = request.source == MapSource::Plan ? request.plan : s.inputs.model->replaced(s.operators(request.source, request.layer, request.parameters, context));
    const BlockRun block = runBlockOn(*model, *dense, request.layer, context);
    const AttentionCopy& exact = dense->attention[static_cast<std::size_t>(request.layer)];
    const AttentionCopy* other = &block.attention;
    report.shown.of(request.source) = headErrors(exact, {&other, 1}, request.head, 1, context).front().front();
    s.showMaps(report, exact, block.attention);
    report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
    return report;
}

report::AttentionMapReport AttentionPreview::whole(const AttentionMapRequest& given, const RunContext& context, const Publish& publish)
{
    State& s = *m_state;
    const auto started = std::chrono::steady_clock::now();
    const AttentionMapRequest request = s.completed(given);
    const auto samples = averagedSamples(request.sample, static_cast<std::size_t>(request.parameters.integer("average")), s.inputs.samples->count());
    context.setParts(2 + static_cast<double>(samples.size()));
    const RunContext preparing = context.part(2, "planes");
    const auto dense = s.run(request.sample, preparing);
    report::AttentionMapReport report = s.frame(request, *dense, preparing);
    if (publish)
        if (const auto shown = first(request))
            publish(*shown);
    preparing.throwIfStopped();
    std::vector<State::Candidate> candidates;
    for (const MapSource source : sourcesOf(request))
        candidates.push_back(s.candidate(source, request, preparing));
    preparing.finish();
    for (const std::size_t sample : samples) {
        const RunContext part = context.part(1, "heads");
        s.addSample(report, request, candidates, sample, part);
        part.finish();
        report.complete = true;
        report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
        if (publish && samples.size() > 1)
            publish(report);
    }
    return report;
}

} // namespace tamis::lowrank
