// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/console.h"
#include "app/cli/json_output.h"
#include "app/cli/run_inputs.h"
#include "app/cli/table.h"
#include "app/cli/usage_error.h"
#include "app/cli/verbs.h"
#include "core/plan/latency.h"
#include "core/plan/model_cost.h"
#include "core/plan/plan.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace tamis::cli {
namespace {
using nlohmann::ordered_json;

struct PlanOptions {
    std::string model, calibration, method, out, allocation = "greedy", accounting = "factors", unit = "parameters";
    std::vector<std::string> locks, ranks, settings, allocationSettings;
    double keep = 0;
    std::int64_t alignment = 1, latencyTokens = 256;
};

std::map<std::string, plan::Override> overridesFrom(const PlanOptions& options, const io::Checkpoint& checkpoint)
{
    std::map<std::string, plan::Override> overrides;
    for (const auto& assignment : options.ranks) {
        const auto [name, text] = splitAssignment(assignment, "--rank");
        const auto& matrices = checkpoint.layout().matrices;
        const auto found = std::ranges::find(matrices, name, &io::MatrixRef::name);
        if (found == matrices.end())
            throw UsageError("--rank: the model has no matrix named '" + name + "' (tamis-cli inspect lists them)");
        overrides[name].rank = parseInteger(text, "--rank " + name, 1, std::min(found->rows, found->cols));
    }
    for (const auto& name : options.locks.empty() ? std::vector<std::string>() : selectMatrices(checkpoint, options.locks, "--lock"))
        overrides[name].locked = true;
    return overrides;
}

plan::BudgetRequest requestFrom(const PlanOptions& options, const io::Checkpoint& checkpoint)
{
    plan::BudgetRequest request;
    request.keep = options.keep;
    request.allocation = plan::parseAllocation(options.allocation);
    request.accounting = plan::parseAccounting(options.accounting);
    request.alignment = options.alignment;
    request.unit = plan::parseUnit(options.unit);
    request.settings = allocationSettingsFrom(options.allocationSettings);
    request.overrides = overridesFrom(options, checkpoint);
    return request;
}

std::string described(const plan::Plan& plan, const report::BudgetReport& budget)
{
    Table table({"matrix", "form", "rank", "keep", "rel. loss", "held out", "parameters"}, 2);
    for (const auto& matrix : budget.matrices)
        table.add({matrix.name, (matrix.dense ? std::string("dense") : budget.accounting) + (matrix.locked ? ", locked" : ""),
                   std::to_string(matrix.rank), fixed(matrix.keep, 3), significant(matrix.relativeLoss),
                   significant(matrix.heldOutRelativeLoss), grouped(matrix.cost.parameters)});
    std::string text = table.text() + "\n" + plan.method + ", keep " + fixed(budget.keep, 3) + " (achieved " +
                       fixed(budget.achievedKeep, 3) + ") of the " + budget.unit + ", " + budget.allocation + ", " + budget.accounting + "\n" +
                       grouped(budget.before.parameters) + " -> " + grouped(budget.after.parameters) + " parameters, " +
                       byteSize(budget.before.bytes) + " -> " + byteSize(budget.after.bytes) + ", " + grouped(budget.before.macs) +
                       " -> " + grouped(budget.after.macs) + " MACs a token, mean relative loss " +
                       percent(budget.predictedRelativeLoss, 2) + "\n";
    for (const auto& choice : budget.sameKeepTotals)
        text += "  the same keep in " + choice.accounting + ": " + grouped(choice.cost.parameters) + " parameters, " +
                byteSize(choice.cost.bytes) + ", " + grouped(choice.cost.macs) + " MACs a token in the compressible matrices\n";
    return text;
}

/// What this verb cannot do is said before anything is read or decomposed.
void requirePossible(const PlanOptions& options)
{
    if (plan::needsEvidence(plan::parseAllocation(options.allocation)))
        throw UsageError("--allocate " + options.allocation + ": is measured by running the model on samples, which plan does not take; choose an allocation that needs the spectra alone");
    const auto settings = allocationSettingsFrom(options.allocationSettings);
    if (settings.searchImportanceWeight || (options.allocation == "effective-rank" && settings.importance == plan::Importance::BlockInfluence))
        throw UsageError("--allocation-set: block influence and the search of its weight run the model on samples, which plan does not take");
    if (options.unit == "latency" && options.latencyTokens == 0)
        throw UsageError("--unit latency: needs --latency-tokens of at least 1, the tokens whose time is the budget");
}

void run(Console& console, const PlanOptions& options)
{
    requirePossible(options);
    const auto& context = console.context();
    context.setParts(11);
    const bool calibrated = !options.calibration.empty();
    const auto& method = methodNamed(!options.method.empty() ? options.method : calibrated ? "spectrum.whitened" : "spectrum.plain");
    const auto parameters = parametersFrom(method.declaration, options.settings, console.common());
    const auto inputs = openInputs(method, options.model, options.calibration, context.part(1, "opening"));
    const auto request = requestFrom(options, *inputs.checkpoint);
    const auto spectra = method.run(inputs, parameters, context.part(6, "decomposing"));
    plan::LatencyCache cache;
    plan::AllocationEvidence evidence;
    if (request.unit == plan::BudgetUnit::Latency)
        evidence.latency = plan::measuredLatencies(spectra, request.accounting, cache, {options.latencyTokens}, context.part(1, "measuring latency"));
    auto budget = plan::allocate(spectra, plan::modelCost(*inputs.checkpoint), request, evidence, context.part(1, "allocating"));
    if (options.latencyTokens > 0)
        plan::measureLatency(budget, spectra, cache, {options.latencyTokens}, context.part(1, "measuring latency"));
    const auto plan = plan::makePlan(inputs, spectra, budget, request, context.part(1, "hashing"));
    console.beginWriting();
    plan::writePlan(options.out, plan);

    auto document = ordered_json::parse(plan::planToJson(plan));
    document["out"] = options.out;
    document["achievedKeep"] = budget.achievedKeep;
    std::string text = described(plan, budget);
    for (const auto* warnings : {&spectra.warnings, &std::as_const(budget.warnings)})
        for (const auto& warning : *warnings) {
            addWarning(document, warning);
            text += "warning: " + warning + "\n";
        }
    for (const auto& matrix : spectra.matrices)
        for (const auto& warning : matrix.warnings)
            addWarning(document, matrix.name + ": " + warning);
    console.print(text + "wrote " + options.out + "\n");
    console.finish(std::move(document));
}

void declare(OptionSet& set, PlanOptions& options)
{
    set.positional("MODEL", options.model, "Checkpoint: a file or a directory");
    set.text("--calibration", options.calibration, "FILE", "Calibration set (HDF5)");
    set.real("--keep", options.keep, 0, 1, "Fraction of the compressible matrices' --unit to keep (needed)");
    set.text("--method", options.method, "ID", "Decomposition (spectrum.whitened with a calibration set, else spectrum.plain)");
    std::vector<std::string> allocations;
    for (const auto allocation : plan::allAllocations())
        allocations.emplace_back(plan::allocationName(allocation));
    set.choice("--allocate", options.allocation, allocations, "How the budget is shared out (greedy); sensitivity and loss-aware need samples: low-rank lab only");
    set.choice("--unit", options.unit, {"parameters", "bytes", "macs", "latency"}, "What --keep is a fraction of (parameters)");
    set.choice("--accounting", options.accounting, {"factors", "block-identity", "remapped"}, "What a rank costs (factors)");
    set.integer("--align", options.alignment, 1, 1024, "Ranks are multiples of N (1)");
    set.texts("--allocation-set", options.allocationSettings, "NAME=VALUE", "A setting of the allocation: docs/methods/allocation.md (repeatable)");
    set.texts("--lock", options.locks, "PATTERN", "Leave these matrices as they are (repeatable)");
    set.texts("--rank", options.ranks, "NAME=R", "Rank of one matrix, chosen by hand (repeatable)");
    set.texts("--set", options.settings, "NAME=VALUE", "A parameter of the method (repeatable)");
    set.integer("--latency-tokens", options.latencyTokens, 0, 1'000'000,
                "Tokens in the batch whose latency is measured (256); 0: do not measure");
    set.text("--out", options.out, "PLAN.json", "File to write", true);
}
} // namespace

Verb verbPlan()
{
    const auto options = std::make_shared<PlanOptions>();
    return {"plan", "Choose a rank for every matrix within one budget",
            "  tamis-cli plan datasets/vit20 --calibration datasets/vit20/calibration.h5 --keep 0.6 --out plan.json\n"
            "  tamis-cli plan MODEL --calibration C --keep 0.5 --allocate energy --align 16 --lock head --out plan.json",
            [options](OptionSet& set) { declare(set, *options); },
            [options](Console& console) {
                if (options->keep == 0)
                    throw UsageError("--keep is required (tamis-cli plan --help)");
                run(console, *options);
            }};
}

} // namespace tamis::cli
