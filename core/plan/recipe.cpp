// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/plan/recipe.h"

#include "core/plan/plan_json.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace tamis::plan {
using nlohmann::ordered_json;

std::string recipeJson(const Plan& plan, const ExportOptions& options, const ExportResult& result,
                       const std::vector<std::string>& files)
{
    ordered_json root;
    root["schema"] = "tamis.recipe/1";
    root["program"] = {{"name", "tamis"}, {"version", TAMIS_VERSION}};
    root["model"] = {{"path", plan.modelPath}, {"hash", plan.modelSha256}};
    root["calibration"] = nullptr;
    if (!plan.calibrationSha256.empty())
        root["calibration"] = {{"path", plan.calibrationPath}, {"hash", plan.calibrationSha256}};
    root["method"] = plan.method;
    root["parameters"] = parametersToJson(plan.parameters);
    root["ridge"] = nullptr;
    if (plan.parameters.contains("ridge"))
        root["ridge"] = plan.parameters.real("ridge");
    root["seed"] = plan.seed;
    root["keep"] = plan.budget.keep;
    root["allocation"] = allocationName(plan.budget.allocation);
    root["accounting"] = accountingName(plan.budget.accounting);
    root["alignment"] = plan.budget.alignment;
    root["factorDType"] = tensor::dtypeName(options.factorDType);
    root["files"] = files;
    root["operators"] = ordered_json::array();
    for (const auto& op : plan.operators) {
        ordered_json entry{{"tensor", op.tensor},
                           {"name", op.name},
                           {"layout", op.layout},
                           {"rank", op.rank},
                           {"rows", op.rows},
                           {"cols", op.cols},
                           {"predictedLoss", op.predictedLoss},
                           {"predictedRelativeLoss", op.predictedRelativeLoss}};
        const auto verified = std::ranges::find(result.verified, op.tensor, &VerifiedMatrix::tensor);
        if (verified != result.verified.end()) {
            entry["measuredLoss"] = verified->measuredLoss;
            entry["denseLoss"] = verified->denseLoss;
            entry["loraDifference"] = verified->loraDifference;
        }
        root["operators"].push_back(std::move(entry));
    }
    root["cost"] = costToJson(result.cost);
    root["baseline"] = costToJson(plan.baseline);
    root["predictedLoss"] = plan.predictedLoss;
    root["predictedRelativeLoss"] = plan.predictedRelativeLoss;
    return jsonText(root);
}

std::string adapterConfigJson(const std::vector<Replacement>& replacements)
{
    std::int64_t largest = 1;
    bool transposed = false;
    ordered_json modules = ordered_json::array(), ranks = ordered_json::object();
    for (const auto& replacement : replacements) {
        const std::int64_t rank = replacement.adapterRank > 0 ? replacement.adapterRank : replacement.planned->rank;
        largest = std::max(largest, rank);
        transposed = transposed || replacement.matrix->transposed;
        modules.push_back(replacement.matrix->name);
        ranks[replacement.matrix->name] = rank;
    }
    ordered_json root;
    root["peft_type"] = "LORA";
    root["task_type"] = nullptr;
    root["base_model_name_or_path"] = "base";
    root["inference_mode"] = true;
    root["bias"] = "none";
    root["r"] = largest;
    root["lora_alpha"] = largest;
    root["lora_dropout"] = 0.0;
    root["use_rslora"] = false;
    root["fan_in_fan_out"] = transposed; // PEFT's word for Conv1D, whose weights are [in, out]
    root["target_modules"] = std::move(modules);
    root["rank_pattern"] = ranks;
    root["alpha_pattern"] = std::move(ranks); // alpha = r: the adapter is added with factor one
    return jsonText(root);
}

} // namespace tamis::plan
