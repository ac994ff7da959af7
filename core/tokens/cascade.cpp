// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/cascade.h"

#include "core/base/error.h"
#include "core/base/number_text.h"
#include "core/tokens/chain.h"
#include "core/tokens/exit_rule.h"
#include "core/tokens/reduced_forward.h"
#include "core/tokens/route.h"
#include "core/tokens/seed.h"

#include <utility>

namespace tamis::tokens {
namespace {
/// A trace on another grid than the model's, told of the model's patches: each is held by what covers its middle.
void tellOnGrid(const nn::PatchSpec& p, Trace& trace)
{
    for (TracedLayer& layer : trace.layers) {
        const TokenSet from = std::move(layer.set);
        if (from.gridRows == p.gridHeight && from.gridCols == p.gridWidth && from.prefix == p.prefixTokens) {
            layer.set = from;
            continue;
        }
        layer.set = wholeSet(p.prefixTokens, p.gridHeight, p.gridWidth);
        layer.scores.clear();
        for (std::int64_t y = 0; y < p.gridHeight; ++y)
            for (std::int64_t x = 0; x < p.gridWidth; ++x) {
                const std::int64_t there = (2 * y + 1) * from.gridRows / (2 * p.gridHeight) * from.gridCols + (2 * x + 1) * from.gridCols / (2 * p.gridWidth);
                layer.set.row[static_cast<std::size_t>(p.prefixTokens + y * p.gridWidth + x)] = from.row[static_cast<std::size_t>(from.prefix + there)];
            }
        for (std::int64_t i = 0; i < p.prefixTokens; ++i)
            layer.set.row[static_cast<std::size_t>(i)] = i < from.prefix ? from.row[static_cast<std::size_t>(i)] : -1;
        layer.set.sizes.assign(from.sizes.size(), 0.0f);
        layer.set.keyWeights.assign(from.sizes.size(), 1.0f);
        for (const std::int32_t row : layer.set.row)
            if (row >= 0)
                layer.set.sizes[static_cast<std::size_t>(row)] += 1;
    }
}

class Cascade final : public Route {
public:
    Cascade(std::shared_ptr<const nn::Model> model, Chain stage, ExitRule rule, double threshold)
        : m_model(std::move(model)), m_stage(std::move(stage)), m_rule(rule), m_threshold(threshold)
    {
    }
    void run(const nn::Sample& sample, std::span<const Wish> wishes, kernels::Rows output, nn::Scratch& scratch, Trace* trace) const override
    {
        runReduced(*m_model, m_stage, sample, wishes, output, scratch, trace);
        const double confidence = confidenceOf(m_rule, output.row(0));
        const std::string sure = ", confidence " + fixedText(confidence, 2);
        if (confidence >= m_threshold) {
            if (trace) {
                tellOnGrid(m_model->spec().patch, *trace);
                trace->remark = "answered by the cheap stage" + sure;
            }
            return;
        }
        if (!trace)
            return runReduced(*m_model, {}, sample, wishes, output, scratch);
        const Trace cheap = std::move(*trace);
        runReduced(*m_model, {}, sample, wishes, output, scratch, trace);
        for (std::size_t block = 0; block < trace->layers.size(); ++block)
            trace->layers[block].macs += cheap.layers[block].macs;
        trace->macs += cheap.macs;
        trace->reductionMs += cheap.reductionMs;
        trace->remark = "asked the whole model" + sure + " of the cheap stage";
    }
    bool takesWishes() const override { return !m_stage.route || m_stage.route->takesWishes(); }

private:
    std::shared_ptr<const nn::Model> m_model;
    Chain m_stage;
    ExitRule m_rule;
    double m_threshold;
};

/// "tome r=34", "evit keep=0.7 @3 + tome r=4 @rest": a method of the lab with its settings, or several as tokens.chain reads them.
Chain stageOf(const std::string& text, std::int64_t seed, const Inputs& inputs, const RunContext& context)
{
    try {
        const std::vector<Link> links = parseLinks(text);
        for (const Link& link : links)
            if (const Method* method = findMethod("tokens." + link.method); !method || method->trains() || link.method == "cascade")
                throw Error(ErrorCode::InvalidParameter, "found " + link.method + ", expected a method of the token lab that is neither trained nor a cascade");
        Inputs own = inputs;
        own.trained = nullptr; // the cascade's, if anything
        if (links.size() != 1 || links[0].where != Where::Own)
            return chainOfLinks(own, links, seed, context);
        const Method& method = *findMethod("tokens." + links[0].method); // it may go its own way, by a route
        return method.chain(own, method.declaration.schema.complete(linkSettings(links[0], seed)), context);
    } catch (const Error& error) {
        if (error.code() != ErrorCode::InvalidParameter)
            throw;
        throw Error(error.code(), error.message() + " (of the cheap stage \"" + text + "\")", "stage");
    }
}

Chain cascadeChain(const Inputs& inputs, const Parameters& given, const RunContext& context)
{
    const Parameters parameters = cascadeMethod().declaration.schema.complete(given);
    const nn::ModelSpec& spec = inputs.model->spec();
    if (spec.classes < 1)
        throw Error(ErrorCode::UnsupportedFeature, "found a model without classes, expected one whose answer can be sure or not", spec.architecture);
    Chain stage = stageOf(parameters.text("stage"), parameters.integer("seed"), inputs, context);
    Chain chain;
    chain.scoreTitle = stage.scoreTitle;
    chain.route = std::make_shared<Cascade>(inputs.model, std::move(stage), parseExitRule(parameters.text("rule")), parameters.real("threshold"));
    requireReducible(*inputs.model, chain);
    return chain;
}
} // namespace

Method cascadeMethod()
{
    Method method;
    method.declaration = {
        .id = "tokens.cascade",
        .lab = "tokens",
        .title = "Cascade: whole only where unsure",
        .reference = "Viola and Jones 2001; Wang et al. 2018 (IDK cascades): a cheap stage answers where it is sure, the whole model elsewhere",
        .schema = ParameterSchema({
            {.name = "stage", .title = "Cheap stage", .type = ParameterType::Text, .defaultValue = std::string("tome r=16"),
             .help = "A method of this lab that is not trained, and its settings: tome r=34; or several as a chain writes them: evit keep=0.7 + tome r=4 @rest"},
            exitRuleParameter(),
            {.name = "threshold", .title = "Sure from", .type = ParameterType::Real, .defaultValue = 0.8, .minimum = 0, .maximum = 1, .step = 0.01,
             .help = "The stage's answer stands where its confidence is at least this"},
            seedParameter("Of a stage that draws, where its settings say no other"),
        })};
    method.calibrates = [](const Parameters& parameters) { return linksCalibrate(parameters.text("stage")); };
    method.spread = [](const nn::ModelSpec&) { return settingsOver("threshold", {0.95, 0.9, 0.8, 0.7, 0.5, 0.3}); };
    method.chain = cascadeChain;
    return method;
}

} // namespace tamis::tokens
