// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/usual_settings.h"

#include "core/nn/model.h"

#include <algorithm>
#include <cmath>

namespace tamis::attention {
namespace {
constexpr double kFactors[] = {0.5, 1, 2};
constexpr std::size_t kMostChoices = 3;
constexpr std::int64_t kPooledRows = 64; ///< of the mean-pool baseline

/// What trades error against cost: the first number or choice.
const ParameterSpec* tradedOf(const ParameterSchema& schema)
{
    const auto found = std::ranges::find_if(schema.specs(), [](const ParameterSpec& spec) {
        return spec.name != "seed" && (spec.type == ParameterType::Integer || spec.type == ParameterType::Real || spec.type == ParameterType::Choice);
    });
    return found == schema.specs().end() ? nullptr : &*found;
}

std::vector<ParameterValue> valuesOf(const ParameterSpec& spec)
{
    std::vector<ParameterValue> all;
    const auto add = [&](ParameterValue value) {
        if (std::ranges::find(all, value) == all.end())
            all.push_back(std::move(value));
    };
    if (spec.type == ParameterType::Choice)
        for (std::size_t i = 0; i < std::min(kMostChoices, spec.choices.size()); ++i)
            add(spec.choices[i]);
    else
        for (const double factor : kFactors) {
            const double value = factor * (spec.type == ParameterType::Real ? std::get<double>(spec.defaultValue) : static_cast<double>(std::get<std::int64_t>(spec.defaultValue)));
            const double within = std::clamp(value, spec.minimum, spec.maximum);
            add(spec.type == ParameterType::Real ? ParameterValue(within) : ParameterValue(static_cast<std::int64_t>(std::llround(within))));
        }
    return all;
}
} // namespace

std::vector<ComparedSetting> usualSettings(const Method& method, const Parameters& given, std::int64_t tokens)
{
    if (method.usual && tokens > 0 && given.all().empty()) {
        std::vector<ComparedSetting> own;
        for (Parameters& parameters : method.usual(tokens))
            own.push_back({method.declaration.id, std::move(parameters)});
        return own;
    }
    const ParameterSpec* traded = method.baseline ? nullptr : tradedOf(method.declaration.schema);
    if (!traded || given.contains(traded->name))
        return {{method.declaration.id, given}};
    std::vector<ComparedSetting> all;
    for (const ParameterValue& value : valuesOf(*traded)) {
        all.push_back({method.declaration.id, given});
        all.back().parameters.set(traded->name, value);
    }
    return all;
}

std::vector<ComparedSetting> usualSettings(std::int64_t tokens)
{
    std::vector<ComparedSetting> all;
    for (const Method& method : methods())
        std::ranges::move(usualSettings(method, {}, tokens), std::back_inserter(all));
    return all;
}

std::vector<TrivialOperator> trivialOperators(const nn::Model& model)
{
    std::vector<TrivialOperator> all{{{"attention.zero", {}}, "Nothing (zero)"}, {{"attention.mean-value", {}}, "Mean of the values"}};
    if (std::ranges::none_of(model.blocks(), [](const nn::Block& block) { return block.spec.attention.causal; })) {
        all.push_back({{"attention.linformer", {}}, "Keys and values pooled to " + std::to_string(kPooledRows)});
        all.back().setting.parameters.set("rows", kPooledRows);
    }
    return all;
}

std::string settingsText(const ParameterSchema& schema, const Parameters& parameters)
{
    std::string text;
    for (const ParameterSpec& spec : schema.specs())
        if (parameters.contains(spec.name) && parameters.value(spec.name) != spec.defaultValue)
            text += (text.empty() ? "" : ", ") + spec.name + " " + toText(parameters.value(spec.name));
    return text;
}

std::string shownSettings(const ComparedSetting& setting)
{
    std::string text;
    if (const Method* method = findMethod(setting.method))
        for (const ParameterSpec& spec : method->declaration.schema.specs())
            if (setting.parameters.contains(spec.name))
                text += (text.empty() ? "" : ", ") + spec.name + " " + toText(setting.parameters.value(spec.name));
    return text;
}

} // namespace tamis::attention
