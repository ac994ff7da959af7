// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/session/session_attention.h"

namespace tamis::app {
using nlohmann::ordered_json;

ordered_json addressingToJson(const AddressingChoice& choice, const std::filesystem::path& base)
{
    ordered_json settings = ordered_json::array();
    for (const auto& [method, parameters] : choice.parameters)
        settings.push_back({{"method", method}, {"parameters", parametersToJson(parameters)}});
    return {{"method", choice.method}, {"settings", std::move(settings)}, {"calibration", writtenPath(choice.calibration, base)}, {"readers", choice.readers}};
}

AddressingChoice addressingFrom(const SessionReader& reader, const std::filesystem::path& base)
{
    AddressingChoice choice;
    reader.read("method", choice.method);
    reader.read("readers", choice.readers);
    choice.calibration = readPath(reader, "calibration", base);
    const auto* settings = reader.child("settings");
    if (!settings)
        return choice;
    reader.require(settings->is_array(), reader.at("settings"), *settings, "a list");
    for (const auto& value : *settings) {
        const SessionReader each(value, reader.at("settings"), reader.subject());
        std::string method;
        each.read("method", method);
        if (Parameters parameters = parametersFrom(each); !method.empty() && !parameters.all().empty())
            choice.parameters[method] = std::move(parameters);
    }
    return choice;
}

ordered_json attentionTrainingToJson(const AttentionTraining& training, const std::filesystem::path& base)
{
    return {{"parameters", parametersToJson(training.parameters)}, {"samples", writtenPath(training.samples, base)}};
}

AttentionTraining attentionTrainingFrom(const SessionReader& reader, const std::filesystem::path& base)
{
    return {.parameters = parametersFrom(reader), .samples = readPath(reader, "samples", base)};
}

} // namespace tamis::app
