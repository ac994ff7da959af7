// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/console.h"
#include "app/cli/json_output.h"
#include "app/cli/table.h"
#include "app/cli/verbs.h"
#include "core/addressing/method.h"
#include "core/attention/method.h"
#include "core/cache/method.h"
#include "core/hierarchy/method.h"
#include "core/encoder/method.h"
#include "core/fleet/method.h"
#include "core/lowrank/method.h"
#include "core/reuse/method.h"
#include "core/spectrum/method.h"
#include "core/tokens/method.h"

#include <nlohmann/json.hpp>

namespace tamis::cli {
namespace {
using nlohmann::ordered_json;

bool isNumber(ParameterType type) { return type == ParameterType::Integer || type == ParameterType::Real; }

ordered_json toJson(const ParameterSpec& spec)
{
    ordered_json json{{"name", spec.name}, {"title", spec.title}, {"type", parameterTypeName(spec.type)},
                      {"default", cli::toJson(spec.defaultValue)}};
    const auto number = [&](double value) { return isNumber(spec.type) ? ordered_json(value) : ordered_json(nullptr); };
    json["min"] = number(spec.minimum);
    json["max"] = number(spec.maximum);
    json["step"] = number(spec.step);
    json["unit"] = spec.unit;
    json["help"] = spec.help;
    if (spec.type == ParameterType::Choice)
        json["choices"] = spec.choices;
    return json;
}

std::string rangeOf(const ParameterSpec& spec)
{
    if (isNumber(spec.type))
        return significant(spec.minimum, 6) + " .. " + significant(spec.maximum, 6) + (spec.unit.empty() ? "" : " " + spec.unit);
    std::string choices;
    for (const auto& choice : spec.choices)
        choices += (choices.empty() ? "" : "|") + choice;
    return choices;
}

std::string described(const MethodDeclaration& declaration, const std::string& needs)
{
    std::string text = declaration.id + ": " + declaration.title + "\n  " + declaration.reference + "\n" + needs;
    for (const auto& spec : declaration.schema.specs()) {
        const auto range = rangeOf(spec);
        text += "  --set " + spec.name + "=" + toText(spec.defaultValue) + "  (" + std::string(parameterTypeName(spec.type)) +
                (range.empty() ? "" : ", " + range) + ") " + spec.help + "\n";
    }
    return text + "\n";
}

ordered_json toJson(const MethodDeclaration& declaration)
{
    ordered_json entry{{"id", declaration.id}, {"lab", declaration.lab}, {"title", declaration.title}, {"reference", declaration.reference},
                       {"parameters", ordered_json::array()}};
    for (const auto& spec : declaration.schema.specs())
        entry["parameters"].push_back(toJson(spec));
    return entry;
}

void run(Console& console)
{
    ordered_json document{{"schema", "tamis.methods/1"}, {"methods", ordered_json::array()}};
    std::string text;
    for (const auto& method : spectrum::methods()) {
        auto entry = toJson(method.declaration);
        entry["needsCalibration"] = method.needsCalibration;
        document["methods"].push_back(std::move(entry));
        text += described(method.declaration, method.needsCalibration ? "  needs --calibration\n" : "");
    }
    for (const auto& method : lowrank::methods()) {
        auto entry = toJson(method.declaration);
        entry["needsCalibration"] = method.needsCalibration;
        entry["needsSamples"] = method.needsSamples;
        entry["trains"] = method.trains;
        document["methods"].push_back(std::move(entry));
        text += described(method.declaration, std::string(method.needsCalibration ? "  needs --calibration\n" : "") +
                                                  (method.needsSamples ? "  needs --images, --tokens or --text\n" : "") + (method.trains ? "  trains: minutes\n" : ""));
    }
    for (const auto& method : encoder::methods()) {
        auto entry = toJson(method.declaration);
        entry["needsCalibration"] = method.needsCalibration;
        entry["needsSamples"] = false;
        entry["trains"] = method.trains;
        document["methods"].push_back(std::move(entry));
        text += described(method.declaration, std::string("  needs --encoder and --activations\n") + (method.needsCalibration ? "  needs --calibration-activations, or --calibration and --layer\n" : "") +
                                                  (method.trains ? "  trains: minutes\n" : ""));
    }
    for (const auto& method : attention::methods()) {
        auto entry = toJson(method.declaration);
        entry["needsCalibration"] = false;
        entry["needsSamples"] = true;
        entry["trains"] = false;
        document["methods"].push_back(std::move(entry));
        text += described(method.declaration, "  needs --images, --tokens or --text\n");
    }
    for (const auto& method : cache::methods()) {
        auto entry = toJson(method.declaration);
        entry["needsCalibration"] = false;
        entry["needsSamples"] = false;
        entry["trains"] = false;
        document["methods"].push_back(std::move(entry));
        text += described(method.declaration, std::string("  needs --trace\n") + (method.knowsFuture ? "  knows the future\n" : ""));
    }
    for (const auto& method : hierarchy::methods()) {
        auto entry = toJson(method.declaration);
        entry["needsCalibration"] = false;
        entry["needsSamples"] = false;
        entry["trains"] = false;
        document["methods"].push_back(std::move(entry));
        text += described(method.declaration, "  needs --trace, or --images and --model\n");
    }
    for (const auto& method : fleet::methods()) {
        const auto needs = [](fleet::Need need) { return need == fleet::Need::Required; };
        auto entry = toJson(method.declaration);
        entry["needsCalibration"] = false;
        entry["needsSamples"] = needs(method.model);
        entry["trains"] = false;
        document["methods"].push_back(std::move(entry));
        text += described(method.declaration, std::string(needs(method.trace) ? "  needs --trace\n" : "") + (needs(method.model) ? "  needs --model, --images and --server\n" : ""));
    }
    for (const auto& method : addressing::methods()) {
        auto entry = toJson(method.declaration);
        entry["needsCalibration"] = false;
        entry["needsSamples"] = true;
        entry["trains"] = false;
        document["methods"].push_back(std::move(entry));
        text += described(method.declaration, std::string("  needs --tokens or --text, and --calibration-tokens") + (method.takesTable ? " or --table\n" : "\n"));
    }
    for (const auto& method : reuse::methods()) {
        auto entry = toJson(method.declaration);
        entry["needsCalibration"] = false;
        entry["needsSamples"] = true;
        entry["trains"] = false;
        document["methods"].push_back(std::move(entry));
        text += described(method.declaration, "  needs --images: frames\n");
    }
    for (const auto& method : tokens::methods()) {
        auto entry = toJson(method.declaration);
        entry["needsCalibration"] = method.needsCalibration;
        entry["needsSamples"] = true;
        entry["trains"] = method.trains();
        document["methods"].push_back(std::move(entry));
        text += described(method.declaration, std::string("  needs --images\n") + (method.trains() ? "  trains: minutes\n" : ""));
    }
    console.print(text);
    console.finish(std::move(document));
}
} // namespace

Verb verbMethods()
{
    return {"methods", "List every method with its reference and its parameters",
            "  tamis-cli methods\n"
            "  tamis-cli methods --json -",
            [](OptionSet&) {}, run};
}

} // namespace tamis::cli
