// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/attention_study.h"

#include "core/attention/block_map.h"
#include "core/attention/head_errors.h"
#include "core/attention/scratch_bytes.h"
#include "core/attention/usual_settings.h"
#include "core/base/error.h"
#include "core/cost/model_cost.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <list>
#include <map>

namespace tamis::attention {
namespace {
using Clock = std::chrono::steady_clock;
constexpr std::size_t kKeptBytes = std::size_t{256} << 20U; ///< of runs
constexpr std::size_t kKeptSelections = 32;                 ///< of samples, whose traits are kept

std::vector<HeadChoice> choicesOf(std::span<const HeadChoice> choices, int block)
{
    std::vector<HeadChoice> own;
    std::ranges::copy_if(choices, std::back_inserter(own), [block](const HeadChoice& choice) { return choice.block == block; });
    return own;
}

double secondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

double meanOf(const std::vector<HeadError>& heads, double HeadError::*value)
{
    double sum = 0;
    for (const HeadError& head : heads)
        sum += head.*value;
    return heads.empty() ? report::kNotMeasured : sum / static_cast<double>(heads.size());
}

/// What stands at a head: the last choice that names it.
std::string methodAt(std::span<const HeadChoice> choices, int block, std::int64_t head)
{
    std::string method;
    for (const HeadChoice& choice : choices)
        if (choice.block == block && (choice.head == kAllHeads || choice.head == head))
            method = choice.method;
    return method;
}
} // namespace

std::vector<std::size_t> spreadSamples(std::size_t viewed, std::size_t count, std::size_t of, std::size_t first)
{
    if (first > 0) {
        const std::size_t rest = of - first, taken = std::max<std::size_t>(1, std::min(count, rest));
        std::vector<std::size_t> all;
        if (viewed >= first)
            all = spreadSamples(viewed - first, taken, rest);
        else
            for (std::size_t i = 0; i < taken; ++i)
                all.push_back(taken > 1 ? i * (rest - 1) / (taken - 1) : 0);
        for (std::size_t& index : all)
            index += first;
        return all;
    }
    std::vector<std::size_t> all{viewed};
    const std::size_t others = std::max<std::size_t>(1, std::min(count, of)) - 1;
    for (std::size_t i = 0; i < others; ++i) {
        const std::size_t index = i * (of - 1) / others; // among those that are not viewed
        all.push_back(index < viewed ? index : index + 1);
    }
    return all;
}

report::AttentionHeadView viewOf(const AttentionCapture& capture, int layer, std::int64_t head, const nn::AttentionOp* op, const RunContext& context)
{
    const nn::Block& block = capture.model->blocks()[static_cast<std::size_t>(layer)];
    const nn::AttentionInput input = capture.attention[static_cast<std::size_t>(layer)].view();
    report::AttentionHeadView view{.sample = capture.name, .sampleIndex = capture.index, .layer = layer, .head = head, .tokens = input.q.rows, .causal = block.spec.attention.causal};
    const TokenPlaces places = placesOf(capture.model->spec(), layer, view.tokens);
    view.prefixTokens = places.prefix;
    view.gridHeight = places.gridHeight;
    view.gridWidth = places.gridWidth;
    const tensor::Matrix<float> exact = block.attention->map(input, head, 0, context);
    view.exact.assign(exact.values().begin(), exact.values().end());
    if (!op) {
        view.approximate = view.exact;
        view.errors = {.map = 0, .logit = report::kNotMeasured, .output = 0};
        return view;
    }
    context.throwIfStopped();
    const tensor::Matrix<float> other = op->map(input, head, 0, context);
    view.approximate.assign(other.values().begin(), other.values().end());
    const std::int64_t dim = block.attention->headDim();
    const tensor::Matrix<float> a = mixedValues(*block.attention, input, true, context), b = mixedValues(*op, input, true, context);
    HeadErrorSum sum;
    sum.addMaps(exact.view(), other.view());
    sum.addOutputs({a.data() + head * dim, a.rows(), dim, a.cols()}, {b.data() + head * dim, b.rows(), dim, b.cols()});
    const HeadError error = sum.error(layer, head);
    view.errors = {.map = error.map, .logit = report::kNotMeasured, .output = error.output};
    view.blocks = blockMap(*op, input, head, context);
    return view;
}

struct AttentionStudy::State {
    /// What was made for a block, and of what.
    struct Made {
        std::vector<HeadChoice> choices;
        std::uint64_t seed = 0;
        std::size_t fitted = 0;
        nn::AttentionPtr op;
        bool operator==(const Made& other) const { return choices == other.choices && seed == other.seed && fitted == other.fitted; }
    };
    /// What does not depend on the choices.
    struct Known {
        std::vector<std::size_t> samples;
        std::vector<int> blocks; ///< of the trivial operators
        std::vector<report::HeadTraits> traits;
        std::vector<report::TrivialErrors> trivial;
    };

    AttentionRequest completed(AttentionRequest request) const;
    std::shared_ptr<const AttentionCapture> kept(std::size_t sample);
    const Made* made(const AttentionRequest& request, int block) const;
    bool collected(const AttentionRequest& request) const { return !fitting.empty() && fittedSamples == request.fitted; }
    bool fitsFor(const AttentionRequest& request, int block) const; ///< an operator has to be fitted before the block can be shown
    /// Whether the viewed head can be fitted alone, and quickly: samples are there, and what stands there now is of the same method, made head by head.
    bool fittedApart(const AttentionRequest& request) const;
    report::AttentionReport frame(const AttentionRequest& request) const;
    void addCosts(report::AttentionReport& report, const nn::Model& changed, std::int64_t tokens) const;
    void fillHeads(report::AttentionReport& report, const AttentionRequest& request, const std::vector<HeadError>& errors, const std::vector<report::HeadTraits>& traits) const;
    report::OutputEffect effect(const AttentionCapture& dense, const std::shared_ptr<const nn::Model>& changed, const RunContext& context) const;

    std::shared_ptr<const nn::Model> model; ///< whose heads are compared
    std::shared_ptr<const nn::Model> opened; ///< that outputs are compared with: the same, or the one before it was trained
    std::shared_ptr<const TunedModel> tuned; ///< null: nothing was trained
    std::shared_ptr<const AttentionCapture> openedRun; ///< of the last viewed sample, where the whole model is another one
    std::shared_ptr<const measure::SampleSource> samples, given; ///< given: to fit to; null: the first of samples
    std::list<std::shared_ptr<const AttentionCapture>> runs; ///< most recent first
    std::map<int, Made> operators;                           ///< by block
    std::vector<std::shared_ptr<const BlockSamples>> fitting; ///< of all blocks
    std::size_t fittedSamples = 0;                            ///< that `fitting` is of
    std::string fittedIn;                                     ///< the same in words
    std::map<std::vector<std::size_t>, Known> known;
};

AttentionRequest AttentionStudy::State::completed(AttentionRequest request) const
{
    request.sample = std::min(request.sample, samples->count() - 1);
    request.layer = std::clamp(request.layer, 0, static_cast<int>(model->blocks().size()) - 1);
    request.head = std::clamp<std::int64_t>(request.head, 0, model->spec().blocks[static_cast<std::size_t>(request.layer)].attention.heads - 1);
    request.average = std::clamp<std::size_t>(request.average, 1, samples->count());
    return request;
}

std::shared_ptr<const AttentionCapture> AttentionStudy::State::kept(std::size_t sample)
{
    const auto found = std::ranges::find(runs, sample, [](const auto& run) { return run->index; });
    if (found == runs.end())
        return nullptr;
    runs.splice(runs.begin(), runs, found);
    return runs.front();
}

const AttentionStudy::State::Made* AttentionStudy::State::made(const AttentionRequest& request, int block) const
{
    const auto found = operators.find(block);
    return found != operators.end() && found->second == Made{choicesOf(request.choices, block), request.seed, request.fitted, nullptr} ? &found->second : nullptr;
}

bool AttentionStudy::State::fitsFor(const AttentionRequest& request, int block) const
{
    return needsSamples(choicesOf(request.choices, block)) && !made(request, block) && !(tuned && tuned->operatorFor(request.choices, request.seed, block));
}

bool AttentionStudy::State::fittedApart(const AttentionRequest& request) const
{
    const auto found = operators.find(request.layer);
    if (!collected(request) || found == operators.end() || !found->second.op || found->second.op->kind() != "by-head")
        return false;
    const std::string wanted = methodAt(request.choices, request.layer, request.head);
    return !wanted.empty() && methodAt(found->second.choices, request.layer, request.head) == wanted;
}

report::AttentionReport AttentionStudy::State::frame(const AttentionRequest&) const
{
    report::AttentionReport report;
    report.model = model->spec().architecture;
    report.samples = samples->description();
    report.layers = static_cast<int>(model->blocks().size());
    for (const nn::Block& block : model->blocks())
        report.headsOfLayer.push_back(block.spec.attention.heads);
    return report;
}

void AttentionStudy::State::addCosts(report::AttentionReport& report, const nn::Model& changed, std::int64_t tokens) const
{
    const cost::CostOptions options{.tokens = model->spec().vision() ? 0 : tokens};
    const auto whole = cost::modelCost(*model, options), reduced = cost::modelCost(changed, options);
    report.macs = reduced.macs;
    report.wholeMacs = whole.macs;
    report.attentionMacs = reduced.attentionMacs;
    report.wholeAttentionMacs = whole.attentionMacs;
    report.liveBytes = scratchBytes(changed, tokens);
    report.wholeLiveBytes = scratchBytes(*model, tokens);
}

void AttentionStudy::State::fillHeads(report::AttentionReport& report, const AttentionRequest& request, const std::vector<HeadError>& errors,
                                      const std::vector<report::HeadTraits>& traits) const
{
    report.heads.clear();
    std::size_t at = 0;
    for (int layer = 0; layer < report.layers; ++layer)
        for (std::int64_t head = 0; head < report.headsOfLayer[static_cast<std::size_t>(layer)]; ++head) {
            report::HeadComparison one{.layer = layer, .head = head, .method = methodAt(request.choices, layer, head), .map = 0, .output = 0, .cosine = 1};
            if (at < errors.size() && errors[at].layer == layer && errors[at].head == head) {
                one.map = errors[at].map;
                one.output = errors[at].output;
                one.cosine = errors[at].cosine;
                ++at;
            }
            one.traits = traits[report.heads.size()];
            report.heads.push_back(std::move(one));
        }
}

report::OutputEffect AttentionStudy::State::effect(const AttentionCapture& dense, const std::shared_ptr<const nn::Model>& changed, const RunContext& context) const
{
    measure::LoadedSample sample;
    measure::loadChecked(*samples, dense.index, *model, sample);
    measure::SampleRun run;
    run.model = changed;
    measure::RunRecorder recorder(context, run);
    measure::recordRun(run, sample, recorder, RunContext(context.stopToken()));
    std::vector<tensor::Matrix<float>> own;
    nn::Scratch scratch(true, RunContext(context.stopToken()));
    for (std::size_t block = 0; block < model->blocks().size(); ++block) {
        context.throwIfStopped();
        own.push_back(dense.blockOutputs[block]);
        if (opened == model && changed->blocks()[block].attention == model->blocks()[block].attention)
            continue;
        own.back() = dense.blockInputs[block];
        changed->runBlock(static_cast<int>(block), own.back().view(), scratch);
    }
    report::OutputEffect effect = measure::outputEffect(dense, run, own, context);
    effect.source = report::MapSource::Plan;
    return effect;
}

AttentionStudy::AttentionStudy(std::shared_ptr<const nn::Model> model, std::shared_ptr<const measure::SampleSource> samples, std::shared_ptr<const measure::SampleSource> fitting,
                               std::shared_ptr<const TunedModel> tuned)
    : m_state(std::make_unique<State>())
{
    if (!model || !samples || samples->count() == 0)
        throw Error(ErrorCode::InvalidParameter, "found no " + std::string(model ? "sample" : "model") + ", expected a model and one sample at least", "attention");
    requireAttentionOverAllTokens(*model);
    m_state->opened = std::move(model);
    m_state->model = tuned ? tuned->exact : m_state->opened;
    m_state->tuned = std::move(tuned);
    m_state->samples = std::move(samples);
    m_state->given = std::move(fitting);
}

AttentionStudy::~AttentionStudy() = default;
const std::shared_ptr<const nn::Model>& AttentionStudy::model() const noexcept { return m_state->model; }
const measure::SampleSource& AttentionStudy::samples() const noexcept { return *m_state->samples; }

std::shared_ptr<const AttentionCapture> AttentionStudy::capture(std::size_t sample, const RunContext& context)
{
    State& s = *m_state;
    if (auto run = s.kept(sample))
        return run;
    s.runs.push_front(captureAttention(s.model, *s.samples, sample, context));
    std::size_t bytes = 0;
    for (auto it = s.runs.begin(); it != s.runs.end();) {
        bytes += (*it)->bytes();
        it = bytes > kKeptBytes && it != s.runs.begin() ? s.runs.erase(it) : std::next(it);
    }
    return s.runs.front();
}

std::size_t AttentionStudy::firstScored(const AttentionRequest& request, std::span<const HeadChoice> choices) const
{
    return needsSamples(choices) && !m_state->given ? fittedCount(*m_state->samples, request.fitted) : 0;
}

AssignmentInputs AttentionStudy::assignmentInputs(const AttentionRequest& request, std::span<const HeadChoice> choices, const RunContext& context)
{
    State& s = *m_state;
    AssignmentInputs with{.seed = request.seed, .samples = {}, .context = RunContext(context.stopToken())};
    if (!needsSamples(choices))
        return with;
    if (!s.collected(request)) {
        const auto fitted = splitForFitting(s.samples, s.given, true, request.fitted).fitted;
        s.fitting = collectSamples(*s.model, *fitted, request.fitted, {}, context);
        s.fittedIn = fitted->description();
        s.fittedSamples = request.fitted;
    }
    with.samples = s.fitting;
    return with;
}

BlockOperators AttentionStudy::operators(const AttentionRequest& request, const RunContext& context)
{
    State& s = *m_state;
    std::vector<HeadChoice> missing;
    const std::vector<int> blocks = blocksOf(request.choices);
    for (const int block : blocks)
        if (!s.made(request, block))
            std::ranges::copy(choicesOf(request.choices, block), std::back_inserter(missing));
    if (s.tuned)
        std::erase_if(missing, [&](const HeadChoice& choice) {
            const nn::AttentionPtr op = s.tuned->operatorFor(request.choices, request.seed, choice.block);
            if (op)
                s.operators[choice.block] = {choicesOf(request.choices, choice.block), request.seed, request.fitted, op};
            return op != nullptr;
        });
    if (!missing.empty()) {
        const BlockOperators made = operatorsFor(*s.model, missing, assignmentInputs(request, missing, context));
        for (const int block : blocksOf(missing))
            s.operators[block] = {choicesOf(request.choices, block), request.seed, request.fitted, made[static_cast<std::size_t>(block)]};
    }
    BlockOperators all(s.model->blocks().size());
    for (const int block : blocks)
        all[static_cast<std::size_t>(block)] = s.operators.at(block).op;
    return all;
}

nn::AttentionPtr AttentionStudy::viewedOperator(const AttentionRequest& request, const RunContext& context)
{
    State& s = *m_state;
    AttentionRequest own = request;
    own.choices = choicesOf(request.choices, request.layer);
    if (s.fitsFor(request, request.layer) && s.fittedApart(request)) {
        HeadChoice alone = *std::ranges::find_if(own.choices.rbegin(), own.choices.rend(), [&](const HeadChoice& choice) { return choice.head == kAllHeads || choice.head == request.head; });
        alone.head = request.head;
        return operatorsFor(*s.model, {&alone, 1}, assignmentInputs(own, {&alone, 1}, context))[static_cast<std::size_t>(request.layer)];
    }
    return operators(own, context)[static_cast<std::size_t>(request.layer)];
}

std::optional<report::AttentionReport> AttentionStudy::first(const AttentionRequest& given)
{
    State& s = *m_state;
    const auto start = Clock::now();
    const AttentionRequest request = s.completed(given);
    const auto dense = s.kept(request.sample);
    if (!dense)
        return std::nullopt;
    if (s.fitsFor(request, request.layer) && !s.fittedApart(request))
        return std::nullopt;
    const RunContext context;
    report::AttentionReport report = s.frame(request);
    report.view = viewOf(*dense, request.layer, request.head, viewedOperator(request, context).get(), context);
    report.seconds = secondsSince(start);
    return report;
}

report::AttentionReport AttentionStudy::whole(const AttentionRequest& given, const RunContext& context, const Publish& publish)
{
    State& s = *m_state;
    const auto start = Clock::now();
    const AttentionRequest request = s.completed(given);
    const std::size_t scored = firstScored(request, request.choices);
    const auto averaged = spreadSamples(request.sample, request.average, s.samples->count(), scored);
    context.setParts(2 + static_cast<double>(averaged.size()));
    const RunContext preparing = context.part(2, "operators");
    const auto viewed = capture(request.sample, preparing);
    report::AttentionReport report = s.frame(request);
    report.view = viewOf(*viewed, request.layer, request.head, viewedOperator(request, preparing).get(), preparing);
    if (request.sample < scored)
        report.warnings.push_back("The viewed sample is one that operators are fitted to: its maps and the output on it look better than those of others. Heads are compared on others alone.");
    report.seconds = secondsSince(start);
    if (publish)
        publish(report);
    const BlockOperators chosen = operators(request, preparing);
    if (needsSamples(request.choices))
        report.fitted = s.fittedIn;
    const auto trivial = trivialOperators(*s.model);
    const std::vector<int> blocks = blocksOf(request.choices);
    std::vector<BlockOperators> baselines;
    for (const TrivialOperator& each : trivial)
        baselines.push_back(operatorsFor(*s.model, everywhere(*s.model, each.setting.method, each.setting.parameters, blocks)));
    preparing.finish();
    const auto found = s.known.find(averaged);
    const bool traitsKnown = found != s.known.end(), trivialKnown = traitsKnown && found->second.blocks == blocks;
    std::vector<const BlockOperators*> sets{&chosen};
    if (!trivialKnown)
        for (const BlockOperators& each : baselines)
            sets.push_back(&each);
    HeadMeasurement measurement(s.model->spec(), sets, !traitsKnown);
    const auto changed = replaced(s.model, chosen);
    for (const std::size_t sample : averaged) {
        const RunContext part = context.part(1, "heads");
        const auto run = capture(sample, part);
        for (std::size_t block = 0; block < run->attention.size(); ++block)
            if (!traitsKnown || !trivialKnown || chosen[block])
                measurement.add(static_cast<int>(block), *s.model->blocks()[block].attention, run->attention[block].view(), part);
        s.fillHeads(report, request, measurement.errors(0), traitsKnown ? found->second.traits : measurement.traits());
        report.trivial.clear();
        for (std::size_t i = 0; i < trivial.size(); ++i)
            report.trivial.push_back(trivialKnown ? found->second.trivial[i]
                                                  : report::TrivialErrors{trivial[i].setting.method, trivial[i].title, meanOf(measurement.errors(i + 1), &HeadError::map), meanOf(measurement.errors(i + 1), &HeadError::output)});
        if (++report.averagedSamples == 1) {
            if (s.opened != s.model && (!s.openedRun || s.openedRun->index != viewed->index))
                s.openedRun = captureAttention(s.opened, *s.samples, viewed->index, part);
            report.effect = s.effect(s.opened == s.model ? *viewed : *s.openedRun, changed, part);
            s.addCosts(report, *changed, report.view.tokens);
            report.complete = true;
        }
        report.seconds = secondsSince(start);
        part.finish();
        if (publish && averaged.size() > 1)
            publish(report);
    }
    if (!trivialKnown) {
        std::vector<report::HeadTraits> traits = traitsKnown ? found->second.traits : measurement.traits();
        if (s.known.size() >= kKeptSelections)
            s.known.clear();
        s.known[averaged] = {averaged, blocks, std::move(traits), report.trivial};
    }
    return report;
}

} // namespace tamis::attention
