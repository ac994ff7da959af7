// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/lowrank_configurations.h"

#include "core/lowrank/preconditioner.h"

#include <algorithm>
#include <utility>

namespace tamis::app {
namespace {
constexpr std::string_view kPreconditioner = "preconditioner"; ///< parameter by which a method is offered once a choice
constexpr std::string_view kUsual[] = {"identity", "abs-mean"}; ///< beside the default: what the others are measured against

std::string choiceTitle(const std::string& choice)
{
    for (const auto preconditioner : lowrank::preconditioners())
        if (lowrank::preconditionerName(preconditioner) == choice)
            return std::string(lowrank::preconditionerTitle(preconditioner));
    return choice;
}

std::string titleOf(const lowrank::Method& method, const Parameters& parameters)
{
    std::string title = method.declaration.title, rest;
    for (const auto& [name, value] : parameters.all()) {
        if (name == kPreconditioner)
            title = choiceTitle(toText(value));
        else
            rest += ", " + name + " " + toText(value);
    }
    return title + rest;
}
} // namespace

std::string configurationId(const lowrank::Method& method, const Parameters& parameters, const lowrank::OwnBudget& budget)
{
    return lowrank::configurationText(method, parameters, budget);
}

Configuration configuration(std::string_view id)
{
    auto parsed = lowrank::parseConfiguration(id);
    Configuration made;
    made.id = id;
    made.method = parsed.method;
    made.parameters = std::move(parsed.parameters);
    made.budget = parsed.budget;
    made.title = titleOf(*made.method, made.parameters) + made.budget.title();
    return made;
}

std::vector<Configuration> offeredConfigurations()
{
    std::vector<Configuration> all;
    for (const auto& method : lowrank::methods()) {
        const auto& schema = method.declaration.schema;
        const auto* spec = schema.find(kPreconditioner);
        const bool once = !spec || spec->type != ParameterType::Choice;
        if (once) {
            all.push_back({method.declaration.id, method.declaration.title, &method, {}, !method.trains && !method.needsSamples, {}});
            continue;
        }
        for (const std::string& choice : spec->choices) {
            Parameters parameters;
            const bool usual = ParameterValue(choice) == spec->defaultValue;
            if (!usual)
                parameters.set(spec->name, choice);
            all.push_back({configurationId(method, parameters), choiceTitle(choice), &method, parameters, usual || std::ranges::find(kUsual, choice) != std::end(kUsual), {}});
        }
    }
    return all;
}

} // namespace tamis::app
