// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/session/session_reader.h"

#include "core/io/json_limits.h"

#include <limits>

namespace tamis::app {

/// Whole numbers from 2^63 to 2^64 - 1 would wrap.
bool isInt64(const nlohmann::json& value)
{
    return value.is_number_integer() &&
           (!value.is_number_unsigned() || value.get<std::uint64_t>() <= std::uint64_t(std::numeric_limits<std::int64_t>::max()));
}

nlohmann::ordered_json parametersToJson(const Parameters& parameters)
{
    nlohmann::ordered_json json = nlohmann::ordered_json::object();
    for (const auto& [name, value] : parameters.all())
        std::visit([&, &key = name](const auto& v) { json[key] = v; }, value);
    return json;
}

Parameters parametersFrom(const SessionReader& reader, Parameters given)
{
    const auto* parameters = reader.child("parameters");
    if (!parameters)
        return given;
    reader.require(parameters->is_object(), reader.at("parameters"), *parameters, "an object");
    for (const auto& [name, value] : parameters->items()) {
        if (value.is_boolean())
            given.set(name, value.get<bool>());
        else if (isInt64(value))
            given.set(name, value.get<std::int64_t>());
        else if (value.is_number_float())
            given.set(name, value.get<double>());
        else if (value.is_string())
            given.set(name, value.get<std::string>());
        else
            reader.fail(reader.at("parameters." + io::quotedName(name)), value, "a number (whole ones of 64 bits), a text, true or false");
    }
    return given;
}

std::string writtenPath(const std::string& path, const std::filesystem::path& base)
{
    if (path.empty())
        return path;
    const auto relative = std::filesystem::absolute(path).lexically_normal().lexically_relative(std::filesystem::absolute(base).lexically_normal());
    return relative.empty() || *relative.begin() == ".." ? std::filesystem::absolute(path).lexically_normal().string() : relative.string();
}

std::string readPath(const SessionReader& reader, const char* key, const std::filesystem::path& base)
{
    std::string path;
    reader.read(key, path);
    reader.requireValue(path.find('\0') == std::string::npos, key, "a path with a NUL character", "a path");
    if (path.empty() || std::filesystem::path(path).is_absolute())
        return path;
    const auto whole = (base / path).lexically_normal();
    return (whole.has_filename() ? whole : whole.parent_path()).string(); // "." is the folder itself, without a slash at its end
}

} // namespace tamis::app
