// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/lowrank_configurations.h"

#include "core/base/error.h"
#include "core/lowrank/preconditioner.h"

#include <algorithm>

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

std::string configurationId(const lowrank::Method& method, const Parameters& parameters)
{
    std::string id = method.declaration.id;
    const Parameters defaults = method.declaration.schema.defaults();
    for (const auto& [name, value] : parameters.all())
        if (defaults.contains(name) && defaults.value(name) != value)
            id += ":" + name + "=" + toText(value);
    return id;
}

Configuration configuration(std::string_view id)
{
    Configuration made;
    made.id = id;
    const auto end = id.find(':');
    made.method = lowrank::findMethod(id.substr(0, end));
    if (!made.method)
        throw Error(ErrorCode::InvalidParameter, "there is no such method in the low-rank lab", std::string(id.substr(0, end)));
    for (auto at = end; at != std::string_view::npos;) {
        const auto next = id.find(':', at + 1);
        const std::string_view setting = id.substr(at + 1, next == std::string_view::npos ? next : next - at - 1);
        const auto equals = setting.find('=');
        if (equals == std::string_view::npos)
            throw Error(ErrorCode::InvalidParameter, "found \"" + std::string(setting) + "\", expected name=value", std::string(id));
        const std::string name(setting.substr(0, equals));
        made.parameters.set(name, made.method->declaration.schema.parse(name, setting.substr(equals + 1)));
        at = next;
    }
    made.title = titleOf(*made.method, made.parameters);
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
            all.push_back({method.declaration.id, method.declaration.title, &method, {}, !method.trains && !method.needsSamples});
            continue;
        }
        for (const std::string& choice : spec->choices) {
            Parameters parameters;
            const bool usual = ParameterValue(choice) == spec->defaultValue;
            if (!usual)
                parameters.set(spec->name, choice);
            all.push_back({configurationId(method, parameters), choiceTitle(choice), &method, parameters, usual || std::ranges::find(kUsual, choice) != std::end(kUsual)});
        }
    }
    return all;
}

} // namespace tamis::app
