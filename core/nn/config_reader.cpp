// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/nn/config_reader.h"

#include "core/base/error.h"
#include "core/io/json_limits.h"

#include <nlohmann/json.hpp>

#include <cmath>
#include <utility>

namespace tamis::nn {

using nlohmann::json;

struct ConfigReader::Content {
    json document;
    const json* at(std::string_view name) const
    {
        const json* node = &document;
        while (true) {
            const std::size_t dot = name.find('.');
            const auto found = node->is_object() ? node->find(std::string(name.substr(0, dot))) : node->end();
            if (!node->is_object() || found == node->end() || found->is_null())
                return nullptr;
            node = &*found;
            if (dot == std::string_view::npos)
                return node;
            name.remove_prefix(dot + 1);
        }
    }
    const json* first(Names names, std::string_view& name) const
    {
        for (const std::string_view candidate : names)
            if (const json* field = at(candidate)) {
                name = candidate;
                return field;
            }
        return nullptr;
    }
};

namespace {
constexpr std::uint64_t kLargest = 1u << 26; // products of a few such numbers are checked where they are made

[[noreturn]] void refuse(std::string_view name, const json& field, const char* expected)
{
    throw Error(ErrorCode::MalformedFile, std::string(name) + " is " + io::quotedName(field.dump(-1, ' ', true)) + ", expected " + expected, "config.json");
}

std::int64_t whole(std::string_view name, const json& field)
{
    if (!field.is_number_unsigned() || field.get<std::uint64_t>() > kLargest)
        refuse(name, field, "a whole number from 0 to 67108864");
    return field.get<std::int64_t>();
}
} // namespace

ConfigReader::ConfigReader(const io::ModelConfig& config) : m_content(std::make_unique<Content>())
{
    m_content->document = io::parseJson(config.rawJson, {}, "config.json");
}

ConfigReader::~ConfigReader() = default;

bool ConfigReader::has(std::string_view name) const
{
    return m_content->at(name) != nullptr;
}

std::optional<std::int64_t> ConfigReader::integer(Names names) const
{
    std::string_view name;
    const json* field = m_content->first(names, name);
    return field ? std::optional(whole(name, *field)) : std::nullopt;
}

std::int64_t ConfigReader::required(Names names) const
{
    const std::optional<std::int64_t> value = integer(names);
    if (!value || *value < 1)
        throw Error(ErrorCode::MalformedFile, "has no " + std::string(*names.begin()) + ", expected a whole number of at least 1", "config.json");
    return *value;
}

std::int64_t ConfigReader::depth(Names names) const
{
    const std::int64_t blocks = required(names);
    if (blocks > 4096)
        throw Error(ErrorCode::LimitExceeded, std::string(*names.begin()) + " is " + std::to_string(blocks) + ", expected at most 4096 blocks", "config.json");
    return blocks;
}

std::int64_t ConfigReader::multiple(Names names, std::int64_t width, double otherwise) const
{
    const double value = number(names, otherwise) * static_cast<double>(width);
    if (!(value >= 1) || value > static_cast<double>(kLargest))
        throw Error(ErrorCode::MalformedFile, std::string(*names.begin()) + " gives a width of " + std::to_string(value) + ", expected 1 to 67108864", "config.json");
    return static_cast<std::int64_t>(value);
}

std::optional<double> ConfigReader::number(Names names) const
{
    std::string_view name;
    const json* field = m_content->first(names, name);
    if (!field)
        return std::nullopt;
    if (!field->is_number() || !std::isfinite(field->get<double>()))
        refuse(name, *field, "a number");
    return field->get<double>();
}

std::optional<bool> ConfigReader::flag(Names names) const
{
    std::string_view name;
    const json* field = m_content->first(names, name);
    if (!field)
        return std::nullopt;
    if (!field->is_boolean())
        refuse(name, *field, "true or false");
    return field->get<bool>();
}

std::string ConfigReader::text(Names names) const
{
    std::string_view name;
    const json* field = m_content->first(names, name);
    if (field && !field->is_string())
        refuse(name, *field, "a text");
    return field ? field->get<std::string>() : std::string();
}

std::vector<std::int64_t> ConfigReader::integers(Names names) const
{
    std::string_view name;
    const json* field = m_content->first(names, name);
    std::vector<std::int64_t> values;
    if (!field)
        return values;
    if (!field->is_array())
        return {whole(name, *field)};
    if (field->size() > 4096)
        refuse(name, field->size(), "a list of at most 4096 numbers");
    for (const json& entry : *field)
        values.push_back(whole(name, entry));
    return values;
}

std::vector<std::string> ConfigReader::texts(Names names) const
{
    std::string_view name;
    const json* field = m_content->first(names, name);
    std::vector<std::string> values;
    if (field && field->is_array())
        for (const json& entry : *field)
            if (entry.is_string())
                values.push_back(entry.get<std::string>());
    return values;
}

std::int64_t ConfigReader::entries(std::string_view name) const
{
    const json* field = m_content->at(name);
    return field && field->is_object() ? static_cast<std::int64_t>(field->size()) : 0;
}

kernels::Activation ConfigReader::activation(Names names, kernels::Activation otherwise) const
{
    using kernels::Activation;
    static constexpr std::pair<std::string_view, Activation> kNames[] = {
        {"gelu", Activation::Gelu},          {"gelu_new", Activation::GeluTanh},   {"gelu_tanh", Activation::GeluTanh},
        {"gelu_pytorch_tanh", Activation::GeluTanh}, {"gelu_fast", Activation::GeluTanh}, {"quick_gelu", Activation::QuickGelu},
        {"quickgelu", Activation::QuickGelu}, {"relu", Activation::Relu},           {"silu", Activation::Silu},
        {"swish", Activation::Silu},          {"tanh", Activation::Tanh}};
    const std::string found = text(names);
    if (found.empty())
        return otherwise;
    for (const auto& [name, activation] : kNames)
        if (found == name)
            return activation;
    throw Error(ErrorCode::UnsupportedFeature,
                std::string(*names.begin()) + " is " + io::quotedName(found) + ", expected gelu, gelu_new, gelu_tanh, quick_gelu, relu, silu or tanh", "config.json");
}

} // namespace tamis::nn
