// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/diff_rate.h"

#include "core/base/error.h"
#include "core/io/json_limits.h"
#include "core/kernels/packed_matrix.h"
#include "core/tokens/matching_metric.h"
#include "core/tokens/protection.h"
#include "core/tokens/reduced_forward.h"
#include "core/tokens/schedule.h"
#include "core/tokens/scores.h"
#include "core/tokens/selection.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace tamis::tokens {
namespace {
constexpr std::int64_t kMostTokens = 1'000'000;

class PruneAndMerge final : public Reduction {
public:
    PruneAndMerge(std::int64_t pruned, std::int64_t merged) : m_pruned(pruned), m_merged(merged) {}
    Assignment assign(const Look& look) const override
    {
        const std::vector<float> scores = scoreTokens(Score::ClassAttention, look);
        const std::int64_t prefix = look.set.prefix;
        Assignment a = keepBest(look.set, scores, std::max<std::int64_t>(0, m_pruned - prefix));
        const Assignment important = keepBest(look.set, scores, std::max<std::int64_t>(1, m_merged - prefix));
        if (important.count >= a.count)
            return a;
        std::vector<std::int32_t> targets, others; // patches alone: nothing is merged into the prefix
        for (std::size_t i = static_cast<std::size_t>(prefix); i < a.to.size(); ++i)
            if (important.to[i] >= 0)
                targets.push_back(static_cast<std::int32_t>(i));
            else if (a.to[i] >= 0)
                others.push_back(static_cast<std::int32_t>(i));
        mergeOthers(a, important, look, targets, others);
        return a;
    }

private:
    static void mergeOthers(Assignment& a, const Assignment& important, const Look& look, const std::vector<std::int32_t>& targets, const std::vector<std::int32_t>& others)
    {
        tensor::Matrix<float> similarity(static_cast<std::int64_t>(others.size()), static_cast<std::int64_t>(targets.size()));
        kernels::multiply(unitRows(look.x, others).view(), kernels::PackedMatrix(unitRows(look.x, targets).view()), {}, similarity.view(), look.scratch.parallel());
        a.weights.assign(a.to.size(), 1.0f); // a plain mean, as published
        a.keyShares.assign(a.to.size(), 1.0f);
        for (std::size_t i = 0; i < a.to.size(); ++i)
            a.to[i] = important.to[i];
        a.count = important.count;
        // what was pruned stays so; the others follow their targets
        for (std::int64_t i = 0; i < similarity.rows(); ++i) {
            const auto row = similarity.view().row(i);
            const auto best = std::ranges::max_element(row);
            const auto token = static_cast<std::size_t>(others[static_cast<std::size_t>(i)]);
            a.to[token] = important.to[static_cast<std::size_t>(targets[static_cast<std::size_t>(best - row.begin())])];
            a.keyShares[token] = std::max(0.0f, *best);
        }
    }
    std::int64_t m_pruned, m_merged;
};

const nlohmann::json& entryIn(const nlohmann::json& document, const std::string& entry, const std::string& subject)
{
    const nlohmann::json* at = &document;
    for (std::size_t begin = 0; begin < entry.size();) {
        const std::size_t end = std::min(entry.find('/', begin), entry.size());
        const std::string key = entry.substr(begin, end - begin);
        if (!at->is_object() || !at->contains(key)) {
            std::string keys;
            if (at->is_object())
                for (const auto& [name, value] : at->items())
                    keys += (keys.empty() ? "" : ", ") + io::quotedName(name);
            throw Error(ErrorCode::InvalidParameter, "found no entry " + io::quotedName(key) + ", expected " + (keys.empty() ? "one that the file has" : "one of " + keys.substr(0, 400)), subject);
        }
        at = &(*at)[key];
        begin = end + 1;
    }
    return *at;
}

std::vector<std::int64_t> countsIn(const nlohmann::json& object, const char* key, const std::string& subject)
{
    const auto refuse = [&](const std::string& what) {
        throw Error(ErrorCode::MalformedFile, "found " + what + " under " + std::string(key) + ", expected a list of whole numbers from 1 to " + std::to_string(kMostTokens), subject);
    };
    if (!object.is_object() || !object.contains(key))
        refuse("nothing");
    const nlohmann::json& value = object[key];
    if (value.is_string()) {
        std::string text = value.get<std::string>();
        if (text.size() < 2 || text.front() != '[' || text.back() != ']')
            refuse(io::quotedName(text));
        return parseIntegers(text.substr(1, text.size() - 2), 1, kMostTokens, subject);
    }
    if (!value.is_array())
        refuse("no list");
    std::vector<std::int64_t> counts;
    for (const auto& item : value) {
        if (!item.is_number_integer() || item.get<std::int64_t>() < 1 || item.get<std::int64_t>() > kMostTokens)
            refuse(io::quotedName(item.dump()));
        counts.push_back(item.get<std::int64_t>());
    }
    return counts;
}

Chain diffRateChain(const Inputs& inputs, const Parameters& given, const RunContext& context)
{
    const Parameters parameters = diffRateMethod().declaration.schema.complete(given);
    if (parameters.text("file").empty())
        throw Error(ErrorCode::InvalidParameter, "found no file, expected a JSON file with the tokens that each block keeps", "file");
    const BlockCounts counts = readBlockCounts(parameters.text("file"), parameters.text("entry"));
    const std::size_t depth = inputs.model->blocks().size();
    if (counts.pruned.size() != depth)
        throw Error(ErrorCode::InvalidParameter, "found counts for " + std::to_string(counts.pruned.size()) + " blocks, expected " + std::to_string(depth), parameters.text("file"));
    Chain chain;
    std::int64_t now = inputs.model->spec().tokens(0);
    for (std::size_t block = 0; block < depth; ++block) {
        const std::int64_t left = std::min({now, counts.pruned[block], counts.merged[block]});
        if (left < now)
            chain.steps.push_back({static_cast<int>(block), Place::BetweenBranches, pruneAndMerge(counts.pruned[block], counts.merged[block])});
        now = left;
    }
    protectPatches(inputs.model->spec().patch, parameters, chain);
    chain.proportionalAttention = parameters.boolean("proportional-attention");
    requireReducible(*inputs.model, chain);
    prepareScore(Score::ClassAttention, inputs, chain, context);
    return chain;
}
} // namespace

BlockCounts readBlockCounts(const std::filesystem::path& file, const std::string& entry)
{
    const std::string subject = file.string();
    const nlohmann::json document = io::readJson(file, {.bytes = 4u << 20});
    const nlohmann::json& object = entryIn(document, entry, subject);
    BlockCounts counts{countsIn(object, "prune_kept_num", subject), countsIn(object, "merge_kept_num", subject)};
    if (counts.pruned.size() != counts.merged.size())
        throw Error(ErrorCode::MalformedFile, "found " + std::to_string(counts.pruned.size()) + " counts of pruning and " + std::to_string(counts.merged.size()) + " of merging, expected as many", subject);
    return counts;
}

ReductionPtr pruneAndMerge(std::int64_t pruned, std::int64_t merged)
{
    return std::make_shared<PruneAndMerge>(pruned, merged);
}

Method diffRateMethod()
{
    Method method;
    method.declaration = {
        .id = "tokens.diffrate",
        .lab = "tokens",
        .title = "Prune and merge by counts (DiffRate)",
        .reference = "Chen et al. 2023, DiffRate: by class attention the last are pruned, the next merged into those most alike; counts from a file",
        .schema = ParameterSchema({
            {.name = "file", .title = "Counts", .type = ParameterType::Text, .defaultValue = std::string(),
             .help = "JSON with prune_kept_num and merge_kept_num: tokens that every block keeps, prefix included"},
            {.name = "entry", .title = "Entry", .type = ParameterType::Text, .defaultValue = std::string(),
             .help = "Keys that lead to them in the file, as ViT-S-DeiT/2.9; empty: at the top"},
            {.name = "proportional-attention", .title = "Proportional attention", .type = ParameterType::Boolean, .defaultValue = true,
             .help = "Adds the log of a merged token's weight to the scores of its key"},
            protectParameter(),
            protectShareParameter(),
        })};
    method.chain = diffRateChain;
    return method;
}

} // namespace tamis::tokens
