// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/parameter_schema.h"

#include "core/base/error.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace tamis {
namespace {
[[noreturn]] void refuse(std::string_view name, const std::string& message)
{
    throw Error(ErrorCode::InvalidParameter, message, std::string(name));
}

template <class T> T parseNumber(std::string_view name, std::string_view text, const char* expected)
{
    T number{};
    const auto result = std::from_chars(text.data(), text.data() + text.size(), number);
    if (result.ec != std::errc{} || result.ptr != text.data() + text.size())
        refuse(name, "found '" + std::string(text) + "', expected " + expected);
    return number;
}

std::string joined(const std::vector<std::string>& words)
{
    std::string all;
    for (const auto& word : words)
        all += (all.empty() ? "" : ", ") + word;
    return all;
}
} // namespace

std::string_view parameterTypeName(ParameterType type) noexcept
{
    switch (type) {
    case ParameterType::Integer: return "integer";
    case ParameterType::Real: return "real";
    case ParameterType::Boolean: return "boolean";
    case ParameterType::Choice: return "choice";
    case ParameterType::Text: return "text";
    }
    return "text";
}

const ParameterValue& Parameters::value(const std::string& name) const
{
    const auto found = m_values.find(name);
    if (found == m_values.end())
        refuse(name, "no such parameter is set");
    return found->second;
}

bool Parameters::boolean(const std::string& name) const
{
    if (const auto* v = std::get_if<bool>(&value(name)))
        return *v;
    refuse(name, "is not a boolean");
}

std::int64_t Parameters::integer(const std::string& name) const
{
    if (const auto* v = std::get_if<std::int64_t>(&value(name)))
        return *v;
    refuse(name, "is not an integer");
}

double Parameters::real(const std::string& name) const
{
    const auto& v = value(name);
    if (const auto* d = std::get_if<double>(&v))
        return *d;
    if (const auto* i = std::get_if<std::int64_t>(&v))
        return static_cast<double>(*i);
    refuse(name, "is not a number");
}

const std::string& Parameters::text(const std::string& name) const
{
    if (const auto* v = std::get_if<std::string>(&value(name)))
        return *v;
    refuse(name, "is not a text");
}

const ParameterSpec* ParameterSchema::find(std::string_view name) const noexcept
{
    for (const auto& spec : m_specs)
        if (spec.name == name)
            return &spec;
    return nullptr;
}

Parameters ParameterSchema::defaults() const
{
    Parameters all;
    for (const auto& spec : m_specs)
        all.set(spec.name, spec.defaultValue);
    return all;
}

ParameterValue ParameterSchema::parse(std::string_view name, std::string_view text) const
{
    const ParameterSpec* spec = find(name);
    if (!spec) {
        std::vector<std::string> names;
        for (const auto& s : m_specs)
            names.push_back(s.name);
        refuse(name, "is not a parameter of this method (it has: " + joined(names) + ")");
    }
    ParameterValue value;
    switch (spec->type) {
    case ParameterType::Integer: value = parseNumber<std::int64_t>(name, text, "a whole number"); break;
    case ParameterType::Real: value = parseNumber<double>(name, text, "a number"); break;
    case ParameterType::Boolean:
        if (text == "true" || text == "1" || text == "on")
            value = true;
        else if (text == "false" || text == "0" || text == "off")
            value = false;
        else
            refuse(name, "found '" + std::string(text) + "', expected true or false");
        break;
    case ParameterType::Choice:
    case ParameterType::Text: value = std::string(text); break;
    }
    validate(name, value);
    return value;
}

void ParameterSchema::validate(std::string_view name, const ParameterValue& value) const
{
    const ParameterSpec* spec = find(name);
    if (!spec)
        refuse(name, "is not a parameter of this method");
    const auto checkRange = [&](double number) {
        if (!(number >= spec->minimum && number <= spec->maximum))
            refuse(name, "found " + toText(value) + ", expected " + toText(spec->minimum) + " to " + toText(spec->maximum));
    };
    switch (spec->type) {
    case ParameterType::Integer:
        if (!std::holds_alternative<std::int64_t>(value))
            refuse(name, "expected a whole number");
        checkRange(static_cast<double>(std::get<std::int64_t>(value)));
        break;
    case ParameterType::Real:
        if (std::holds_alternative<double>(value))
            checkRange(std::get<double>(value));
        else if (std::holds_alternative<std::int64_t>(value))
            checkRange(static_cast<double>(std::get<std::int64_t>(value)));
        else
            refuse(name, "expected a number");
        break;
    case ParameterType::Boolean:
        if (!std::holds_alternative<bool>(value))
            refuse(name, "expected true or false");
        break;
    case ParameterType::Choice: {
        const auto* text = std::get_if<std::string>(&value);
        if (!text || std::find(spec->choices.begin(), spec->choices.end(), *text) == spec->choices.end())
            refuse(name, "found '" + toText(value) + "', expected one of " + joined(spec->choices));
        break;
    }
    case ParameterType::Text:
        if (!std::holds_alternative<std::string>(value))
            refuse(name, "expected a text");
        break;
    }
}

Parameters ParameterSchema::complete(const Parameters& given) const
{
    Parameters all = defaults();
    for (const auto& [name, value] : given.all()) {
        validate(name, value);
        all.set(name, value);
    }
    return all;
}

std::string toText(const ParameterValue& value)
{
    if (const auto* b = std::get_if<bool>(&value))
        return *b ? "true" : "false";
    if (const auto* s = std::get_if<std::string>(&value))
        return *s;
    char buffer[40];
    std::to_chars_result result{};
    if (const auto* i = std::get_if<std::int64_t>(&value))
        result = std::to_chars(buffer, buffer + sizeof buffer, *i);
    else
        result = std::to_chars(buffer, buffer + sizeof buffer, std::get<double>(value));
    return std::string(buffer, result.ptr);
}

} // namespace tamis
