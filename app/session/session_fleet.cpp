// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/session/session_fleet.h"

namespace tamis::app {

nlohmann::ordered_json fleetToJson(const FleetChoice& choice)
{
    auto settings = nlohmann::ordered_json::array();
    for (const auto& [method, parameters] : choice.parameters)
        settings.push_back({{"method", method}, {"parameters", parametersToJson(parameters)}});
    return {{"method", choice.method}, {"settings", std::move(settings)}, {"server", choice.server}};
}

FleetChoice fleetFrom(const SessionReader& reader)
{
    constexpr std::size_t kMostServer = 300;
    FleetChoice choice;
    reader.read("method", choice.method);
    if (const auto* list = reader.child("settings")) {
        reader.require(list->is_array(), reader.at("settings"), *list, "a list");
        for (const auto& value : *list) {
            const SessionReader entry(value, reader.at("settings"), reader.subject());
            std::string method;
            entry.read("method", method);
            if (!method.empty())
                choice.parameters[method] = parametersFrom(entry);
        }
    }
    reader.read("server", choice.server);
    reader.requireValue(choice.server.size() <= kMostServer, "server", std::to_string(choice.server.size()) + " bytes", "300 at most");
    return choice;
}

} // namespace tamis::app
