// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What the parts of a session file are read and written with. Internal to app/session.
#include "core/base/error.h"
#include "core/base/parameter_schema.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <type_traits>
#include <vector>

namespace tamis::app {

/// Whole numbers from 2^63 to 2^64 - 1 would wrap.
bool isInt64(const nlohmann::json& value);

/// Reads keys of one object; an ill-typed value becomes one sentence with the key's path (Error{MalformedFile}). The object outlives it.
class SessionReader {
public:
    SessionReader(const nlohmann::json& object, std::string path, const std::string& subject)
        : m_object(object), m_path(std::move(path)), m_subject(subject)
    {
        if (!object.is_object())
            fail(m_path.empty() ? "the document" : m_path, object, "an object");
    }
    template <class T> void read(const char* key, T& value) const
    {
        const auto found = m_object.find(key);
        if (found == m_object.end() || found->is_null())
            return; // optional: keeps its default
        const std::string path = at(key);
        if constexpr (std::is_same_v<T, bool>) {
            require(found->is_boolean(), path, *found, "true or false");
        } else if constexpr (std::is_same_v<T, std::string>) {
            require(found->is_string(), path, *found, "a text");
        } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
            require(found->is_array() && std::all_of(found->begin(), found->end(), [](const auto& v) { return v.is_string(); }), path,
                    *found, "a list of texts");
        } else if constexpr (std::is_unsigned_v<T>) {
            require(found->is_number_unsigned(), path, *found, "a whole number from 0");
        } else if constexpr (std::is_integral_v<T>) {
            require(isInt64(*found), path, *found, "a whole number of 64 bits");
        } else {
            require(found->is_number(), path, *found, "a number");
        }
        value = found->get<T>();
    }
    const nlohmann::json* child(const char* key) const
    {
        const auto found = m_object.find(key);
        return found == m_object.end() || found->is_null() ? nullptr : &*found;
    }
    bool isNull(const char* key) const
    {
        const auto found = m_object.find(key);
        return found != m_object.end() && found->is_null();
    }
    std::string at(const std::string& key) const { return m_path.empty() ? key : m_path + "." + key; }
    const std::string& subject() const { return m_subject; }
    [[noreturn]] void fail(const std::string& path, const nlohmann::json& found, const std::string& expected) const
    {
        throw Error(ErrorCode::MalformedFile, path + ": found " + std::string(found.type_name()) + ", expected " + expected, m_subject);
    }
    /// The same for a value of the right type; `found` in words.
    void requireValue(bool holds, const char* key, const std::string& found, const char* expected) const
    {
        if (!holds)
            throw Error(ErrorCode::MalformedFile, at(key) + ": found " + found + ", expected " + expected, m_subject);
    }
    void require(bool holds, const std::string& path, const nlohmann::json& found, const std::string& expected) const
    {
        if (!holds)
            fail(path, found, expected);
    }
    /// Errors whose subject is a key of this object keep their sentence but get the file as subject.
    template <class F> auto guarded(F&& parse) const
    {
        try {
            return parse();
        } catch (const Error& error) {
            throw Error(ErrorCode::MalformedFile, at(error.subject()) + ": " + error.message(), m_subject);
        }
    }

private:
    const nlohmann::json& m_object;
    std::string m_path;
    const std::string& m_subject;
};

nlohmann::ordered_json parametersToJson(const Parameters& parameters);
/// Its "parameters"; `given` where there are none.
Parameters parametersFrom(const SessionReader& reader, Parameters given = {});
/// Relative to `base` where it lies below, else absolute.
std::string writtenPath(const std::string& path, const std::filesystem::path& base);
std::string readPath(const SessionReader& reader, const char* key, const std::filesystem::path& base);

} // namespace tamis::app
