// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/chain.h"

#include "core/base/error.h"
#include "core/tokens/reduced_forward.h"
#include "core/tokens/seed.h"

#include <algorithm>
#include <string>
#include <utility>

namespace tamis::tokens {
namespace {
constexpr std::string_view kId = "tokens.chain";

[[noreturn]] void refuse(const std::string& message, std::size_t position, ErrorCode code = ErrorCode::InvalidParameter)
{
    throw Error(code, message, "steps", position);
}

/// A link on its way to steps.
struct Built {
    const Link* link = nullptr;
    const Method* method = nullptr;
    std::vector<std::uint8_t> named; ///< [blocks] 1: the link names it
    Chain chain{};
    int placeOf(const Step& step) const { return 2 * step.block + (step.place == Place::BetweenBranches ? 1 : 0); }
};

std::string listOf(const std::vector<std::uint8_t>& named)
{
    std::string text;
    for (std::size_t block = 0; block < named.size(); ++block)
        if (named[block])
            text += (text.empty() ? "" : ",") + std::to_string(block);
    return text;
}

const Method& methodOf(const Link& link, const Inputs& inputs)
{
    const Method* method = findMethod("tokens." + link.method);
    if (!method)
        refuse("found no method '" + link.method + "' among those of the token lab", link.position);
    if (method->declaration.id == kId)
        refuse("found a chain in a chain, expected methods that reduce tokens by themselves", link.position);
    if (method->trains())
        refuse("found " + link.method + ", whose parts are trained, expected methods without training: a chain holds no trained parts", link.position);
    if (method->needsCalibration && !inputs.calibration)
        refuse("found " + link.method + ", which is fitted to samples, but no samples", link.position);
    return *method;
}

/// What a link names by itself; "rest" nothing yet.
std::vector<std::uint8_t> namedBlocks(const Link& link, int depth)
{
    std::vector<std::uint8_t> named(static_cast<std::size_t>(depth), link.where == Where::All ? 1 : 0);
    for (const BlockRange& range : link.blocks) {
        if (range.first < 0 || range.last >= depth)
            refuse("found block " + std::to_string(range.last) + " for " + link.method + ", expected 0 to " + std::to_string(depth - 1), link.wherePosition);
        std::fill(named.begin() + range.first, named.begin() + range.last + 1, std::uint8_t{1});
    }
    return named;
}

/// The link's settings with the blocks that it names, where the method can be told. True when the chain will be in those blocks alone.
bool tellBlocks(const Built& built, Parameters& settings)
{
    const ParameterSchema& schema = built.method->declaration.schema;
    const bool one = std::ranges::count(built.named, 1) == 1;
    for (const char* name : {"blocks", "block"}) {
        const ParameterSpec* spec = schema.find(name);
        if (!spec)
            continue;
        if (settings.contains(name))
            refuse("found " + std::string(name) + "= beside '@' in the link of " + built.link->method + ", expected one of them", built.link->wherePosition);
        if (spec->type == ParameterType::Text) {
            settings.set(name, listOf(built.named));
            return true;
        }
        if (spec->type == ParameterType::Integer && one) {
            settings.set(name, static_cast<std::int64_t>(std::ranges::find(built.named, 1) - built.named.begin()));
            return true;
        }
    }
    return false;
}

void build(Built& built, const Inputs& inputs, std::int64_t seed, const RunContext& context)
{
    const Link& link = *built.link;
    Parameters settings = linkSettings(link, seed);
    const bool told = link.where != Where::Own && tellBlocks(built, settings);
    try {
        built.chain = built.method->chain(inputs, built.method->declaration.schema.complete(settings), context);
    } catch (const Error& error) {
        if (error.code() == ErrorCode::Cancelled)
            throw;
        refuse(link.method + ": " + error.what(), link.position, error.code());
    }
    if (built.chain.route)
        refuse("found " + link.method + ", which takes its own way through the model, expected methods that reduce tokens inside of it", link.position);
    if (link.where == Where::Own || told)
        return;
    const bool any = !built.chain.steps.empty();
    std::erase_if(built.chain.steps, [&](const Step& step) { return !built.named[static_cast<std::size_t>(step.block)]; });
    if (any && built.chain.steps.empty())
        refuse("found no reduction of " + link.method + " in block " + listOf(built.named) + ", expected one at least by its settings", link.wherePosition);
}

/// Blocks that links other than "rest" name or stand in.
void nameRest(std::vector<Built>& all, int depth)
{
    std::vector<std::uint8_t> rest(static_cast<std::size_t>(depth), 1);
    for (const Built& built : all) {
        for (std::size_t block = 0; block < rest.size(); ++block)
            if (built.named[block])
                rest[block] = 0;
        for (const Step& step : built.chain.steps)
            rest[static_cast<std::size_t>(step.block)] = 0;
    }
    for (Built& built : all)
        if (built.link->where == Where::Rest) {
            if (std::ranges::count(rest, 1) == 0)
                refuse("found no block left for " + built.link->method + ", expected one in which no other method stands", built.link->wherePosition);
            built.named = rest;
        }
}

void requireApart(const std::vector<Built>& all)
{
    for (const Built& later : all)
        for (const Built& earlier : all) {
            if (&earlier == &later)
                break;
            for (const Step& step : later.chain.steps)
                for (const Step& other : earlier.chain.steps)
                    if (later.placeOf(step) == earlier.placeOf(other))
                        refuse("found " + later.link->method + " where " + earlier.link->method + " stands already (" + (step.place == Place::BeforeBlock ? "before block " : "behind the attention of block ") +
                                   std::to_string(step.block) + "), expected each in places of its own",
                               later.link->position);
            if (later.chain.imageScorer && earlier.chain.imageScorer)
                refuse("found " + later.link->method + " and " + earlier.link->method + " that both look at gradients of the whole image, expected one such method", later.link->position);
        }
}

/// Counts a row that the reduction makes of several tokens, or of their sum, as one key.
class OneKeyEach final : public Reduction {
public:
    explicit OneKeyEach(ReductionPtr reduction) : m_reduction(std::move(reduction)) {}
    Assignment assign(const Look& look) const override
    {
        Assignment a = m_reduction->assign(look);
        std::vector<std::int32_t> members(static_cast<std::size_t>(a.count));
        for (const std::int32_t to : a.to)
            if (to >= 0)
                ++members[static_cast<std::size_t>(to)];
        a.keyShares.assign(a.to.size(), 1.0f);
        std::vector<std::uint8_t> counted(members.size());
        for (std::size_t i = 0; i < a.to.size(); ++i) {
            if (a.to[i] < 0)
                continue;
            const auto to = static_cast<std::size_t>(a.to[i]);
            if (members[to] < 2 && (a.sum.empty() || a.sum[to] == 0))
                continue;
            // the first of the tokens gives the row its weight of 1, the others nothing: shares of 1 / members would sum to 1 but for their roundings
            a.keyShares[i] = counted[to] ? 0.0f : 1.0f / look.set.keyWeights[i];
            counted[to] = 1;
        }
        return a;
    }

private:
    ReductionPtr m_reduction;
};

std::string commonTitle(const std::vector<Built>& all)
{
    std::string title;
    for (const Built& built : all) {
        if (built.chain.scoreTitle.empty() || built.chain.scoreTitle == title)
            continue;
        if (!title.empty())
            return "Score of each block's own method";
        title = built.chain.scoreTitle;
    }
    return title;
}

/// False for what cannot be read: making it fails at once.
bool hasSlowLink(const Parameters& parameters)
{
    try {
        return std::ranges::any_of(parseLinks(parameters.text("steps")), [](const Link& link) {
            const Method* method = findMethod("tokens." + link.method);
            return method && method->declaration.id != kId && method->isSlowToMake(method->declaration.schema.complete(link.settings));
        });
    } catch (const Error&) {
        return false;
    }
}

Chain chainChain(const Inputs& inputs, const Parameters& given, const RunContext& context)
{
    const Parameters parameters = chainMethod().declaration.schema.complete(given);
    return chainOfLinks(inputs, parseLinks(parameters.text("steps")), parameters.integer("seed"), context);
}
} // namespace

ReductionPtr oneKeyEach(ReductionPtr reduction)
{
    return std::make_shared<OneKeyEach>(std::move(reduction));
}

Parameters linkSettings(const Link& link, std::int64_t seed)
{
    Parameters settings = link.settings;
    if (const Method* method = findMethod("tokens." + link.method); method && method->declaration.schema.find("seed") && !settings.contains("seed"))
        settings.set("seed", seed);
    return settings;
}

Chain chainOfLinks(const Inputs& inputs, const std::vector<Link>& links, std::int64_t seed, const RunContext& context)
{
    requireReducible(*inputs.model, {});
    const int depth = static_cast<int>(inputs.model->blocks().size());
    std::vector<Built> all;
    for (const Link& link : links)
        all.push_back({&link, &methodOf(link, inputs), namedBlocks(link, depth)});
    context.setParts(static_cast<double>(std::max<std::size_t>(1, all.size())));
    for (Built& built : all)
        if (built.link->where != Where::Rest)
            build(built, inputs, seed, context.part(1, built.link->method));
    nameRest(all, depth);
    for (Built& built : all)
        if (built.link->where == Where::Rest)
            build(built, inputs, seed, context.part(1, built.link->method));
    requireApart(all);
    Chain chain;
    chain.proportionalAttention = std::ranges::any_of(all, [](const Built& built) { return built.chain.proportionalAttention; });
    for (Built& built : all) {
        if (chain.proportionalAttention && !built.chain.proportionalAttention)
            for (Step& step : built.chain.steps)
                step.reduction = oneKeyEach(std::move(step.reduction));
        chain.steps.insert(chain.steps.end(), built.chain.steps.begin(), built.chain.steps.end());
        chain.rollout = chain.rollout || built.chain.rollout;
        chain.weightedPool = chain.weightedPool && built.chain.weightedPool;
        if (built.chain.imageScorer)
            chain.imageScorer = built.chain.imageScorer;
    }
    std::ranges::stable_sort(chain.steps, {}, [](const Step& step) { return 2 * step.block + (step.place == Place::BetweenBranches ? 1 : 0); });
    chain.scoreTitle = commonTitle(all);
    requireReducible(*inputs.model, chain);
    return chain;
}

bool linksCalibrate(const std::string& text)
{
    try {
        return std::ranges::any_of(parseLinks(text), [](const Link& link) {
            const Method* method = findMethod("tokens." + link.method);
            return method && method->calibrates && method->calibrates(method->declaration.schema.complete(link.settings));
        });
    } catch (const Error&) {
        return false;
    }
}

Method chainMethod()
{
    Method method;
    method.declaration = {
        .id = std::string(kId),
        .lab = "tokens",
        .title = "Several methods in a chain",
        .reference = "Methods of this lab, each in blocks of its own, as EViT in two blocks and ToMe in the others",
        .schema = ParameterSchema({
            {.name = "steps", .title = "Methods", .type = ParameterType::Text, .defaultValue = std::string("evit keep=0.7 + tome r=4 @rest"),
             .help = "Methods with settings and blocks, as evit keep=0.7 @3,6 + tome r=4 @rest; blocks from 0, ranges as 2-5, all, or rest: where no other stands"},
            seedParameter("Of methods in the chain that draw, where their settings say no other"),
        })};
    method.calibrates = [](const Parameters& parameters) { return linksCalibrate(parameters.text("steps")); };
    method.chain = chainChain;
    method.slowToMake = hasSlowLink;
    return method;
}

} // namespace tamis::tokens
