// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/session/session_reuse.h"

namespace tamis::app {
namespace {
using Json = nlohmann::ordered_json;
constexpr double kMostShare = 1000;

Json toJson(const ReuseSetting& setting) { return {{"method", setting.method}, {"parameters", parametersToJson(setting.parameters)}}; }

ReuseSetting settingFrom(const SessionReader& reader)
{
    ReuseSetting setting;
    reader.read("method", setting.method);
    setting.parameters = parametersFrom(reader);
    return setting;
}
} // namespace

Json reuseToJson(const ReuseChoice& choice, const std::filesystem::path& base)
{
    Json json = toJson(choice.setting), kept = Json::array();
    for (const ReuseSetting& each : choice.kept)
        kept.push_back(toJson(each));
    json["frames"] = writtenPath(choice.frames, base);
    json["kept"] = std::move(kept);
    return json;
}

ReuseChoice reuseFrom(const SessionReader& reader, const std::filesystem::path& base)
{
    ReuseChoice choice;
    choice.frames = readPath(reader, "frames", base);
    choice.setting = settingFrom(reader);
    const auto* kept = reader.child("kept");
    if (!kept)
        return choice;
    reader.require(kept->is_array(), reader.at("kept"), *kept, "a list");
    for (const auto& value : *kept)
        if (ReuseSetting each = settingFrom(SessionReader(value, reader.at("kept"), reader.subject())); !each.method.empty())
            choice.kept.push_back(std::move(each));
    return choice;
}

Json plannedReuseToJson(const std::optional<plan::PlannedReuse>& planned)
{
    if (!planned)
        return nullptr;
    return {{"method", planned->method}, {"parameters", parametersToJson(planned->parameters)}, {"sequence", planned->sequence}, {"macsShare", planned->macsShare}};
}

plan::PlannedReuse plannedReuseFrom(const SessionReader& reader)
{
    plan::PlannedReuse planned;
    reader.read("method", planned.method);
    reader.requireValue(!planned.method.empty(), "method", "\"\"", "the name of a reuse method");
    planned.parameters = parametersFrom(reader);
    reader.read("sequence", planned.sequence);
    reader.read("macsShare", planned.macsShare);
    reader.requireValue(planned.macsShare >= 0 && planned.macsShare <= kMostShare, "macsShare", toText(planned.macsShare), "0 to 1000");
    return planned;
}

} // namespace tamis::app
