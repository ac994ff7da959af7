// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/run_fleet.h"

#include "app/cli/fleet_json.h"
#include "app/cli/json_output.h"
#include "app/cli/method_choice.h"
#include "app/cli/run_inputs.h"
#include "app/cli/trace_options.h"
#include "app/cli/usage_error.h"
#include "core/base/error.h"
#include "core/cache/load_trace.h"
#include "core/fleet/method.h"
#include "core/io/checkpoint.h"

#include <nlohmann/json.hpp>

#include <cstdlib>
#include <fstream>

namespace tamis::cli {
namespace {
using nlohmann::ordered_json;
using fleet::Need;

constexpr const char* kPasswordVariable = "TAMIS_REDIS_PASSWORD";

void check(Need need, bool given, const std::string& option, const std::string& what, const std::string& method)
{
    if (need == Need::Required && !given)
        throw UsageError(option + " is required: " + what);
    if (need == Need::None && given)
        throw UsageError(option + " does not belong to " + method);
}

/// What other labs take. Throws UsageError: an option without effect would be believed to have one.
void refuseOthers(const RunOptions& options)
{
    const RunOptions none;
    if (!options.calibration.empty() || !options.out.empty() || !options.layers.empty() || !options.blocks.empty() || !options.samples.tokens.empty() || !options.samples.text.empty())
        throw UsageError("--calibration, --layer, --blocks, --tokens, --text and --out do not belong to fleet.*");
    if (options.warmUp != none.warmUp || options.rate != none.rate || !options.at.empty() || options.steps != none.steps || options.first != none.first || options.shape || options.streamed || !options.also.empty())
        throw UsageError("--warm-up, --rate, --at, --steps, --first, --shape, --streamed and --also do not belong to fleet.*");
    const CacheRuleOptions &rules = options.cacheRules, &noRules = none.cacheRules;
    if (rules.hard != noRules.hard || rules.soft != noRules.soft || rules.batch != noRules.batch || !rules.protectedIds.empty() || rules.protectMost != noRules.protectMost || rules.sceneChange != noRules.sceneChange)
        throw UsageError("rules of capacity do not belong to fleet.*");
    if (options.trace.empty() && (options.traceFormat != none.traceFormat || !options.traceColumns.empty()))
        throw UsageError("--trace-format and --column belong to --trace");
    if (!options.store.empty() || !options.encoder.empty() || !options.plan.empty() || !options.savePlan.empty() || !options.table.empty() || !options.saveTable.empty() || !options.samples.labels.empty())
        throw UsageError("--store, --encoder, --plan, --save-plan, --table, --save-table and --labels do not belong to fleet.*");
    if (!options.choices.empty() || !options.view.empty() || !options.scaling.empty() || options.suit != none.suit || options.tune != none.tune || options.effects || options.rounds != none.rounds || options.batch != none.batch)
        throw UsageError("options of attention.*, reuse.* and tokens.* do not belong to fleet.*");
}

void requireOptions(const fleet::Method& method, const RunOptions& options)
{
    const std::string& id = method.declaration.id;
    check(method.trace, !options.trace.empty(), "--trace", "the requests that the devices get", id);
    check(method.model, !options.model.empty(), "--model", "the vision transformer whose features are stored", id);
    check(method.model, !options.samples.images.empty(), "--images", "photos, or frames in the order of their names", id);
    check(method.server, !options.server.empty(), "--server", "where the Redis server is, such as 127.0.0.1:6379", id);
    if (options.model.empty() != options.samples.images.empty())
        throw UsageError("--model and --images belong together: found one of them");
    if (options.server.empty() && !options.passwordFile.empty())
        throw UsageError("--password-file belongs to --server");
    refuseOthers(options);
}

/// The first line of the file, else the environment's; empty: none.
std::string passwordFrom(const std::string& file)
{
    if (file.empty()) {
        const char* const value = std::getenv(kPasswordVariable);
        return value ? value : "";
    }
    constexpr std::size_t kMost = 512;
    std::ifstream stream(file);
    std::string line;
    if (!std::getline(stream, line) || line.empty() || line.size() > kMost)
        throw UsageError("--password-file: found no line of 1 to 512 bytes in '" + file + "', expected the password");
    return line;
}

ordered_json documentOf(const RunOptions& options, const report::FleetReport& report)
{
    ordered_json document{{"schema", "tamis.run/1"}, {"method", report.method}, {"parameters", toJson(report.parameters)}};
    const auto path = [](const std::string& text) { return text.empty() ? ordered_json(nullptr) : ordered_json{{"path", text}}; };
    document["inputs"] = {{"trace", path(options.trace)}, {"model", path(options.model)}, {"samples", report.samples}, {"server", report.remote.server}};
    addFleet(document, report);
    document["warnings"] = ordered_json::array();
    for (const std::string& warning : report.warnings)
        addWarning(document, warning);
    document["seconds"] = report.seconds;
    return document;
}
} // namespace

void runFleet(Console& console, const RunOptions& options)
{
    const fleet::Method& method = methodAmong(fleet::methods(), options.method);
    requireOptions(method, options);
    const Parameters parameters = parametersFrom(method.declaration, options.settings, console.common());
    const RunContext& context = console.context();
    context.setParts(20);
    fleet::Inputs inputs;
    inputs.seed = static_cast<std::uint64_t>(console.common().seed.value_or(0));
    if (!options.server.empty()) {
        try {
            inputs.store.emplace();
            inputs.store->connection.server = remote::parseServer(options.server);
        } catch (const Error& error) {
            throw UsageError(std::string("--") + error.what());
        }
        inputs.store->connection.password = passwordFrom(options.passwordFile);
    }
    if (!options.trace.empty())
        inputs.trace = std::make_shared<const cache::Trace>(cache::loadTrace(options.trace, traceOptionsFrom(options.traceFormat, options.traceColumns, false), context.part(2, "reading the trace")));
    if (!options.model.empty()) {
        const auto checkpoint = io::Checkpoint::open(options.model, context.part(0.5, "opening"));
        inputs.model = nn::Model::load(*checkpoint, context.part(1, "loading"));
        inputs.modelHash = fleet::featureVersion(*checkpoint, context.part(0.5, "hashing"));
        inputs.samples = app::openSamples(requestFrom(options.samples), options.model, *inputs.model, context.part(0.5, "opening the samples"));
    }
    report::FleetReport report = method.run(inputs, parameters, context.part(15.5, method.declaration.title));
    report.model = options.model;
    console.print(described(report));
    console.finish(documentOf(options, report));
}

} // namespace tamis::cli
