// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/attention_scaling.h"

#include "app/cli/attention_choices.h"
#include "app/cli/attention_json.h"
#include "app/cli/json_output.h"
#include "app/cli/method_choice.h"
#include "app/cli/run_inputs.h"
#include "app/cli/table.h"
#include "app/cli/usage_error.h"
#include "core/attention/assignment.h"
#include "core/attention/cost_curve.h"
#include "core/attention/usual_settings.h"
#include "core/base/error.h"
#include "core/io/checkpoint.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>

namespace tamis::cli {
namespace {
using nlohmann::ordered_json;
using report::AttentionCostCurve, report::AttentionCostRow;

/// "all", or ascending sizes between commas.
std::vector<std::int64_t> sizesFrom(const std::string& text)
{
    if (text == "all")
        return attention::CostCurveSettings().tokens;
    std::vector<std::int64_t> sizes;
    for (std::size_t at = 0; at <= text.size();) {
        const std::size_t comma = std::min(text.find(',', at), text.size());
        sizes.push_back(parseInteger(text.substr(at, comma - at), "--scaling " + text, 1, 1'000'000));
        if (sizes.size() > 1 && sizes.back() <= sizes[sizes.size() - 2])
            throw UsageError("--scaling " + text + ": found " + std::to_string(sizes.back()) + " behind " + std::to_string(sizes[sizes.size() - 2]) + ", expected ascending numbers of tokens");
        at = comma + 1;
    }
    return sizes;
}

ordered_json curveJson(const AttentionCostCurve& curve)
{
    ordered_json json{{"method", curve.method.empty() ? "exact" : curve.method}, {"title", curve.title}, {"settings", curve.settings}, {"measuredCrossover", orNull(curve.measuredCrossover)},
                      {"predictedCrossover", orNull(curve.predictedCrossover)}, {"rows", ordered_json::array()}};
    for (const AttentionCostRow& row : curve.rows)
        json["rows"].push_back({{"tokens", row.tokens}, {"ms", orNull(row.ms)}, {"predictedMs", orNull(row.predictedMs)}, {"macs", row.macs}, {"liveBytes", row.liveBytes}, {"readBytes", row.readBytes}, {"failure", row.failure}});
    return json;
}

std::string described(const std::vector<AttentionCostCurve>& curves)
{
    Table table({"operator", "settings", "tokens", "ms", "predicted", "GMAC", "scratch", "x of exact"}, 2);
    std::string left, crossings;
    for (const AttentionCostCurve& curve : curves) {
        const std::string name = curve.method.empty() ? "exact" : curve.method;
        for (std::size_t i = 0; i < curve.rows.size(); ++i) {
            const AttentionCostRow& row = curve.rows[i];
            if (!row.failure.empty())
                left += name + ", " + std::to_string(row.tokens) + " tokens: " + row.failure + "\n";
            table.add({name, curve.settings, std::to_string(row.tokens), significant(row.ms, 3), significant(row.predictedMs, 3), significant(static_cast<double>(row.macs) * 1e-9), byteSize(row.liveBytes),
                       fixed(curves.front().rows[i].ms / row.ms, 2)});
        }
        if (!curve.method.empty())
            crossings += name + (curve.settings.empty() ? "" : " (" + curve.settings + ")") + ": faster than exact from " +
                         (std::isfinite(curve.measuredCrossover) ? fixed(curve.measuredCrossover, 0) : "no") + " tokens on, predicted " +
                         (std::isfinite(curve.predictedCrossover) ? fixed(curve.predictedCrossover, 0) : "none") + "\n";
    }
    return table.text() + "\n" + crossings + left;
}
} // namespace

void runAttentionScaling(Console& console, const RunOptions& options)
{
    const auto start = std::chrono::steady_clock::now();
    const attention::Method& method = methodAmong(attention::methods(), options.method);
    if (options.model.empty())
        throw UsageError("--model is required: the model whose attention is replaced");
    if (options.effects || options.suit > 0 || !options.view.empty() || !options.plan.empty() || !options.savePlan.empty() || options.tune > 0 || !options.tuned.empty() || !options.choices.empty())
        throw UsageError("--scaling measures cost alone, expected no --effects, --suit, --view, --plan, --save-plan, --tune, --tuned or --choose");
    const auto sizes = sizesFrom(options.scaling);
    const auto blocks = blocksFrom(options.blocks);
    const Parameters parameters = parametersFrom(method.declaration, options.settings, console.common());
    const RunContext& context = console.context();
    context.setParts(10);
    const auto checkpoint = io::Checkpoint::open(options.model, context.part(0.3, "opening"));
    const auto model = nn::Model::load(*checkpoint, context.part(0.7, "loading"));
    const int block = blocks && !blocks->empty() ? blocks->front() : 0;
    if (block >= static_cast<int>(model->blocks().size()))
        throw Error(ErrorCode::InvalidParameter, "found block " + std::to_string(block) + ", expected 0 to " + std::to_string(model->blocks().size() - 1), "--blocks");
    attention::CostCurveSettings settings;
    settings.tokens = sizes;
    if (console.common().seed)
        settings.seed = static_cast<std::uint64_t>(*console.common().seed);
    std::vector<attention::CurveChoice> choices;
    if (options.settings.empty())
        for (const auto& usual : attention::usualSettings(method, {}, sizes.back())) // what a method takes for the longest
            choices.push_back({usual.method, usual.parameters});
    else
        choices.push_back({method.declaration.id, parameters});
    const auto curves = attention::costCurves(attention::inputsFor(*model, block, attention::kAllHeads, {.seed = settings.seed, .samples = {}}), choices, settings, context.part(9, "measuring"));
    ordered_json document{{"schema", "tamis.run/1"}, {"method", options.method}, {"parameters", toJson(parameters)}, {"inputs", {{"model", {{"path", options.model}}}, {"block", block}}}};
    document["scaling"] = ordered_json::array();
    for (const AttentionCostCurve& curve : curves)
        document["scaling"].push_back(curveJson(curve));
    document["warnings"] = ordered_json::array();
    document["seconds"] = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    console.print(described(curves));
    console.finish(std::move(document));
}

} // namespace tamis::cli
