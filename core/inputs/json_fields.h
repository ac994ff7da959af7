// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Typed access to one JSON object of an untrusted file. Only for sources: it includes the whole parser.
#include "core/base/error.h"
#include "core/io/json_limits.h"

#include <nlohmann/json.hpp>

#include <cmath>
#include <string>

namespace tamis::inputs {

/// Every getter throws Error{MalformedFile} naming key, value and what was expected. Null counts as absent. The object and
/// the subject must outlive it.
class JsonFields {
public:
    JsonFields(const nlohmann::json& object, const std::string& subject) : m_object(object), m_subject(subject) {}

    [[noreturn]] void refuse(const std::string& key, const nlohmann::json& value, const std::string& expected,
                             ErrorCode code = ErrorCode::MalformedFile) const
    {
        const std::string found = value.is_string() ? value.get<std::string>() : value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
        throw Error(code, key + " is " + io::quotedName(found) + ", expected " + expected, m_subject);
    }
    const std::string& subject() const noexcept { return m_subject; }
    const nlohmann::json* find(const char* key) const
    {
        const auto field = m_object.find(key);
        return field == m_object.end() || field->is_null() ? nullptr : &*field;
    }
    bool flag(const char* key, bool absent) const
    {
        const nlohmann::json* value = find(key);
        if (value != nullptr && !value->is_boolean())
            refuse(key, *value, "true or false");
        return value != nullptr ? value->get<bool>() : absent;
    }
    double number(const char* key, double absent) const
    {
        const nlohmann::json* value = find(key);
        if (value != nullptr && (!value->is_number() || !std::isfinite(value->get<double>())))
            refuse(key, *value, "a number");
        return value != nullptr ? value->get<double>() : absent;
    }
    /// A whole number from 0 to 2^53.
    std::int64_t whole(const char* key, std::int64_t absent) const
    {
        const nlohmann::json* value = find(key);
        if (value != nullptr && (!value->is_number_unsigned() || value->get<std::uint64_t>() > (std::uint64_t{1} << 53)))
            refuse(key, *value, "a whole number");
        return value != nullptr ? value->get<std::int64_t>() : absent;
    }
    std::string word(const char* key, const std::string& absent) const
    {
        const nlohmann::json* value = find(key);
        if (value != nullptr && !value->is_string())
            refuse(key, *value, "a text");
        return value != nullptr ? value->get<std::string>() : absent;
    }

private:
    const nlohmann::json& m_object;
    const std::string& m_subject;
};

} // namespace tamis::inputs
