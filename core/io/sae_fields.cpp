// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/sae_fields.h"

#include "core/base/error.h"
#include "core/io/json_limits.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace tamis::io
{
using nlohmann::json;
namespace
{
constexpr JsonLimits kLimits{.bytes = 1u << 20, .depth = 32, .values = 100'000};
} // namespace

json parseSaeDocument(std::string_view text, const std::string& subject)
{
    json document = parseJson(text, kLimits, subject);
    if (!document.is_object())
        throw Error(ErrorCode::MalformedFile, "is not the configuration of an autoencoder, expected a JSON object",
                    subject);
    return document;
}

json readSaeDocument(const std::filesystem::path& file)
{
    return parseSaeDocument(readSmallFile(file, kLimits.bytes), file.string());
}

const json* SaeFields::find(std::string_view name) const
{
    const auto field = m_object.find(name);
    return field == m_object.end() || field->is_null() ? nullptr : &*field;
}

std::optional<std::int64_t> SaeFields::whole(std::string_view name, std::int64_t least) const
{
    const json* field = find(name);
    if (!field)
        return std::nullopt;
    if (!field->is_number_unsigned() || field->get<std::uint64_t>() > static_cast<std::uint64_t>(kMaximumSaeSize) ||
        field->get<std::int64_t>() < least)
        refuse(name, *field, "a whole number from " + std::to_string(least) + " to " + std::to_string(kMaximumSaeSize));
    return field->get<std::int64_t>();
}

std::optional<double> SaeFields::positive(std::string_view name) const
{
    const json* field = find(name);
    if (!field)
        return std::nullopt;
    if (!field->is_number() || !std::isfinite(field->get<double>()) || field->get<double>() <= 0)
        refuse(name, *field, "a number above 0");
    return field->get<double>();
}

bool SaeFields::flag(std::string_view name, bool otherwise) const
{
    const json* field = find(name);
    if (!field)
        return otherwise;
    if (!field->is_boolean())
        refuse(name, *field, "true or false");
    return field->get<bool>();
}

std::string SaeFields::text(std::string_view name, const std::string& otherwise) const
{
    const json* field = find(name);
    if (!field)
        return otherwise;
    if (!field->is_string())
        refuse(name, *field, "a text");
    return field->get<std::string>();
}

const json& SaeFields::object(std::string_view name) const
{
    static const json none = json::object();
    const json* field = find(name);
    if (field && !field->is_object())
        refuse(name, *field, "an object");
    return field ? *field : none;
}

std::vector<std::string> SaeFields::others(std::initializer_list<std::string_view> known) const
{
    std::vector<std::string> keys;
    for (const auto& [key, value] : m_object.items())
        if (std::find(known.begin(), known.end(), key) == known.end())
            keys.push_back(quotedName(key));
    return keys;
}

void SaeFields::lacks(std::string_view name, const std::string& expected) const
{
    malformed("lacks " + std::string(name) + ", expected " + expected);
}

void SaeFields::unsupported(std::string_view name, const std::string& found, const std::string& expected) const
{
    throw Error(ErrorCode::UnsupportedFeature,
                std::string(name) + " is " + quotedName(found) + ", expected " + expected, m_subject);
}

void SaeFields::malformed(const std::string& message) const
{
    throw Error(ErrorCode::MalformedFile, message, m_subject);
}

void SaeFields::refuse(std::string_view name, const json& found, const std::string& expected) const
{
    malformed(std::string(name) + " is " + quotedName(found.dump(-1, ' ', true, json::error_handler_t::replace)) +
              ", expected " + expected);
}

} // namespace tamis::io
