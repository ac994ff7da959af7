// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/attention_json.h"

#include "app/cli/json_output.h"
#include "app/cli/table.h"
#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/io/npy.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace tamis::cli {
namespace {
using nlohmann::ordered_json;
using report::HeadComparison;

ordered_json traitsJson(const report::HeadTraits& traits)
{
    return {{"entropy", orNull(traits.entropy)}, {"evenness", orNull(traits.evenness)}, {"distance", orNull(traits.distance)}, {"prefixMass", orNull(traits.prefixMass)},
            {"effectiveRank", orNull(traits.effectiveRank)}, {"tokens", orNull(traits.tokens)}};
}

double meanOver(const std::vector<HeadComparison>& heads, double HeadComparison::*value)
{
    double sum = 0;
    std::size_t count = 0;
    for (const HeadComparison& head : heads)
        if (!head.method.empty()) {
            sum += head.*value;
            ++count;
        }
    return count > 0 ? sum / static_cast<double>(count) : report::kNotMeasured;
}

std::string nameOf(const report::AttentionHeadView& view, const std::string& what) { return "layer" + std::to_string(view.layer) + ".head" + std::to_string(view.head) + "." + what; }
} // namespace

ordered_json orNull(double value) { return std::isfinite(value) ? ordered_json(value) : ordered_json(nullptr); }

ordered_json headsJson(const std::vector<HeadComparison>& heads)
{
    ordered_json all = ordered_json::array();
    for (const HeadComparison& head : heads) {
        ordered_json one{{"layer", head.layer}, {"head", head.head}, {"method", head.method.empty() ? "exact" : head.method}, {"mapError", orNull(head.map)}, {"outputError", orNull(head.output)},
                         {"cosine", orNull(head.cosine)}, {"logits", orNull(head.logits)}, {"traits", traitsJson(head.traits)}};
        if (!head.suited.empty())
            one["suited"] = {{"method", head.suited}, {"settings", head.suitedSettings}, {"outputError", orNull(head.suitedOutput)}};
        all.push_back(std::move(one));
    }
    return all;
}

ordered_json choicesJson(std::span<const attention::HeadChoice> choices)
{
    ordered_json all = ordered_json::array();
    for (const attention::HeadChoice& choice : choices)
        all.push_back({{"block", choice.block}, {"head", choice.head}, {"method", choice.method.empty() ? "exact" : choice.method}, {"parameters", toJson(choice.parameters)}});
    return all;
}

ordered_json trivialJson(const std::vector<report::TrivialErrors>& trivial)
{
    ordered_json all = ordered_json::object();
    for (const report::TrivialErrors& each : trivial)
        all[each.method == "attention.zero" ? "zero" : each.method == "attention.mean-value" ? "meanV" : "meanPool"] = {{"mapError", orNull(each.map)}, {"outputError", orNull(each.output)}};
    return all;
}

namespace {
/// null in place of what is no number: blocks behind the query have no score.
ordered_json finite(const std::vector<float>& values)
{
    ordered_json all = ordered_json::array();
    for (const float value : values)
        all.push_back(std::isfinite(value) ? ordered_json(value) : ordered_json(nullptr));
    return all;
}
} // namespace

ordered_json viewJson(const report::AttentionHeadView& view, const std::vector<std::int32_t>& tokenIds)
{
    ordered_json json{{"sample", view.sample}, {"layer", view.layer}, {"head", view.head}, {"tokens", view.tokens}, {"prefixTokens", view.prefixTokens}, {"gridHeight", view.gridHeight},
                      {"gridWidth", view.gridWidth}, {"causal", view.causal}, {"mapError", orNull(view.errors.map)}, {"outputError", orNull(view.errors.output)}};
    if (!tokenIds.empty())
        json["tokenIds"] = tokenIds;
    if (const report::BlockMap& blocks = view.blocks; blocks.queries > 0) {
        double read = 0;
        for (const std::int64_t tokens : blocks.tokensRead)
            read += static_cast<double>(tokens) / static_cast<double>(blocks.tokensRead.size());
        json["blocks"] = {{"queries", blocks.queries}, {"blocks", blocks.blocks}, {"blockTokens", blocks.blockTokens}, {"tokensRead", blocks.tokensRead}, {"meanTokensRead", read}};
        json["blocks"]["scores"] = blocks.scores.empty() ? ordered_json(nullptr) : finite(blocks.scores);
        json["blocks"]["gates"] = blocks.gates.empty() ? ordered_json(nullptr) : finite(blocks.gates);
    }
    return json;
}

std::string headsText(const report::AttentionReport& report)
{
    const auto any = [&](auto has) { return std::ranges::any_of(report.heads, has); };
    const bool logits = any([](const HeadComparison& head) { return std::isfinite(head.logits); }), suited = any([](const HeadComparison& head) { return !head.suited.empty(); });
    const auto place = [](const HeadComparison& head) { return head.method.empty() ? std::string("exact") : head.method.substr(head.method.find('.') + 1); };
    std::vector<std::string> heading{"layer", "head", "operator", "map error", "output error", "cosine", "entropy", "distance", "rank"};
    if (logits)
        heading.emplace_back("KL alone");
    if (suited)
        heading.insert(heading.end(), {"its error", "suited"});
    Table table(heading, 0);
    for (const HeadComparison& head : report.heads) {
        std::vector<std::string> cells{std::to_string(head.layer), std::to_string(head.head), place(head), significant(head.map), significant(head.output), significant(head.cosine),
                                       significant(head.traits.entropy, 3), significant(head.traits.distance, 3), significant(head.traits.effectiveRank, 3)};
        if (logits)
            cells.push_back(significant(head.logits, 3));
        if (suited)
            cells.insert(cells.end(), {significant(head.suitedOutput, 3), head.suited + (head.suitedSettings.empty() ? "" : " " + head.suitedSettings)});
        table.add(std::move(cells));
    }
    std::string text = table.text() + "\nreplaced heads: mean map error " + significant(meanOver(report.heads, &HeadComparison::map)) + ", output error " + significant(meanOver(report.heads, &HeadComparison::output)) + "\n";
    for (const report::TrivialErrors& each : report.trivial)
        text += each.title + ": mean map error " + significant(each.map) + ", output error " + significant(each.output) + "\n";
    return text;
}

std::vector<std::filesystem::path> viewFiles(const std::filesystem::path& directory, const report::AttentionHeadView& view)
{
    std::vector<std::filesystem::path> files{directory / nameOf(view, "exact.npy"), directory / nameOf(view, "approximate.npy"), directory / nameOf(view, "json")};
    if (view.blocks.queries > 0)
        files.push_back(directory / nameOf(view, "selected.npy"));
    return files;
}

void writeView(const std::filesystem::path& directory, const report::AttentionHeadView& view, const std::vector<std::int32_t>& tokenIds)
{
    std::error_code error;
    std::filesystem::create_directories(directory, error);
    if (error)
        throw Error(ErrorCode::IoFailure, "cannot be made: " + error.message(), directory.string());
    const auto files = viewFiles(directory, view);
    io::writeNpy(files[0], std::span<const float>(view.exact), {view.tokens, view.tokens});
    io::writeNpy(files[1], std::span<const float>(view.approximate), {view.tokens, view.tokens});
    if (const report::BlockMap& blocks = view.blocks; blocks.queries > 0) {
        const std::vector<std::int64_t> selected(blocks.selected.begin(), blocks.selected.end());
        io::writeNpy(files[3], std::span<const std::int64_t>(selected), {blocks.queries, blocks.blocks});
    }
    writeFileAtomically(files[2], jsonText(viewJson(view, tokenIds)));
}

} // namespace tamis::cli
