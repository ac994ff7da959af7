// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Parameters declared once, as values: from a schema come the sliders, the --set flags, validation, the session file
// and the tables in docs/.
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace tamis {

enum class ParameterType { Integer, Real, Boolean, Choice, Text };
std::string_view parameterTypeName(ParameterType type) noexcept; ///< "integer", "real", "boolean", "choice", "text"

using ParameterValue = std::variant<bool, std::int64_t, double, std::string>;

struct ParameterSpec {
    std::string name;  ///< kebab case: the --set name and the session key
    std::string title; ///< label in the parameter panel
    ParameterType type = ParameterType::Real;
    ParameterValue defaultValue = 0.0;
    double minimum = 0, maximum = 1, step = 0; ///< numbers only; step 0: continuous
    bool logarithmic = false;                  ///< the slider moves in decades (0 is kept as a stop at the low end)
    std::string unit;                          ///< empty for pure numbers
    std::string help;                          ///< one line
    std::vector<std::string> choices;          ///< Choice only
};

/// Settings by name. Complete after ParameterSchema::defaults(); get() throws Error{InvalidParameter} for a name or type
/// that is not there.
class Parameters {
public:
    void set(const std::string& name, ParameterValue value) { m_values[name] = std::move(value); }
    bool contains(const std::string& name) const { return m_values.count(name) != 0; }
    const ParameterValue& value(const std::string& name) const;
    bool boolean(const std::string& name) const;
    std::int64_t integer(const std::string& name) const;
    double real(const std::string& name) const;
    const std::string& text(const std::string& name) const; ///< Choice and Text
    const std::map<std::string, ParameterValue>& all() const noexcept { return m_values; }
    bool operator==(const Parameters&) const = default;

private:
    std::map<std::string, ParameterValue> m_values;
};

class ParameterSchema {
public:
    ParameterSchema() = default;
    explicit ParameterSchema(std::vector<ParameterSpec> specs) : m_specs(std::move(specs)) {}
    const std::vector<ParameterSpec>& specs() const noexcept { return m_specs; }
    const ParameterSpec* find(std::string_view name) const noexcept;
    Parameters defaults() const;
    /// Text as typed after --set name=; locale-independent. Throws Error{InvalidParameter} naming the parameter, what was
    /// found and what was expected.
    ParameterValue parse(std::string_view name, std::string_view text) const;
    /// Checks type, range and choice of one value; throws Error{InvalidParameter}.
    void validate(std::string_view name, const ParameterValue& value) const;
    /// defaults() overlaid with `given`, each validated.
    Parameters complete(const Parameters& given) const;

private:
    std::vector<ParameterSpec> m_specs;
};

/// Locale-independent shortest text of a value ("0.01", "true").
std::string toText(const ParameterValue& value);

/// What a method says of itself, once: see docs/architecture.md, "Adding a method".
struct MethodDeclaration {
    std::string id;        ///< "lab.name" in kebab case
    std::string lab;       ///< "spectrum"
    std::string title;     ///< for menus
    std::string reference; ///< paper or formula it implements
    ParameterSchema schema;
};

} // namespace tamis
