// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/json_output.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace tamis::cli {
namespace {
using nlohmann::ordered_json;

const char* nonFiniteName(double number) { return std::isnan(number) ? "not a number" : number > 0 ? "infinity" : "minus infinity"; }

bool isNonFinite(const ordered_json& value) { return value.is_number_float() && !std::isfinite(value.get<double>()); }

/// An array's direct elements are reported together: a spectrum of a broken matrix is one sentence, not thousands.
void replaceNonFinite(ordered_json& value, const std::string& path, std::vector<std::string>& sentences)
{
    if (value.is_object()) {
        for (auto& [key, member] : value.items())
            replaceNonFinite(member, path.empty() ? key : path + "." + key, sentences);
        return;
    }
    if (value.is_array()) {
        std::size_t count = 0, first = 0;
        for (std::size_t i = 0; i < value.size(); ++i) {
            if (isNonFinite(value[i])) {
                first = count++ == 0 ? i : first;
                value[i] = nullptr;
            } else {
                replaceNonFinite(value[i], path + "[" + std::to_string(i) + "]", sentences);
            }
        }
        if (count > 0)
            sentences.push_back(path + ": " + std::to_string(count) + " of " + std::to_string(value.size()) +
                                " numbers are not finite (the first at index " + std::to_string(first) + "), written as null");
        return;
    }
    if (isNonFinite(value)) {
        sentences.push_back(path + ": " + nonFiniteName(value.get<double>()) + ", written as null");
        value = nullptr;
    }
}

std::string compact(const ordered_json& value) { return value.dump(-1, ' ', false, ordered_json::error_handler_t::replace); }

bool isFlat(const ordered_json& value)
{
    return value.is_array() && std::ranges::all_of(value, [](const ordered_json& element) { return element.is_primitive() && !element.is_string(); });
}

void append(std::string& text, const ordered_json& value, std::size_t indent)
{
    if (value.empty() || value.is_primitive() || isFlat(value)) {
        text += compact(value);
        return;
    }
    const std::string inner(indent + 2, ' ');
    text += value.is_object() ? "{\n" : "[\n";
    std::size_t left = value.size();
    for (auto item = value.begin(); item != value.end(); ++item) {
        text += inner;
        if (value.is_object())
            text += compact(ordered_json(item.key())) + ": ";
        append(text, *item, indent + 2);
        text += --left > 0 ? ",\n" : "\n";
    }
    text += std::string(indent, ' ') + (value.is_object() ? "}" : "]");
}
} // namespace

void addWarning(ordered_json& document, const std::string& sentence)
{
    auto& warnings = document["warnings"];
    if (warnings.is_null())
        warnings = ordered_json::array();
    if (std::ranges::find(warnings, ordered_json(sentence)) == warnings.end())
        warnings.push_back(sentence);
}

std::string jsonText(ordered_json document)
{
    std::vector<std::string> sentences;
    replaceNonFinite(document, "", sentences);
    for (const auto& sentence : sentences)
        addWarning(document, sentence);
    if (!document.contains("warnings"))
        document["warnings"] = ordered_json::array();
    std::string text;
    append(text, document, 0);
    return text + "\n";
}

ordered_json toJson(const report::Cost& cost)
{
    ordered_json json{{"parameters", cost.parameters}, {"bytes", cost.bytes}, {"macs", cost.macs}};
    if (std::isnan(cost.latencyMs))
        json["latencyMs"] = nullptr; // not measured: a state, not an accident
    else
        json["latencyMs"] = cost.latencyMs;
    return json;
}

ordered_json toJson(const ParameterValue& value)
{
    return std::visit([](const auto& held) { return ordered_json(held); }, value);
}

ordered_json toJson(const Parameters& parameters)
{
    ordered_json json = ordered_json::object();
    for (const auto& [name, value] : parameters.all())
        json[name] = toJson(value);
    return json;
}

ordered_json toJson(const report::MatrixSpectrum& matrix)
{
    ordered_json json;
    json["name"] = matrix.name;
    json["layer"] = matrix.layer;
    json["role"] = matrix.role;
    json["dtype"] = matrix.dtype;
    json["shape"] = {matrix.rows, matrix.cols};
    json["compressible"] = matrix.compressible;
    json["singularValues"] = matrix.singularValues;
    json["loss"] = matrix.loss;
    json["sampleLoss"] = matrix.sampleLoss;
    json["heldOutLoss"] = matrix.heldOutLoss;
    json["tokens"] = matrix.tokens;
    json["sampleTokens"] = matrix.sampleTokens;
    json["heldOutTokens"] = matrix.heldOutTokens;
    const bool defined = !matrix.singularValues.empty();
    const auto number = [&](const char* key, double value) { json[key] = defined ? ordered_json(value) : ordered_json(std::nan("")); };
    number("stableRank", matrix.stableRank);
    number("effectiveRank", matrix.effectiveRank);
    number("nuclearNorm", matrix.nuclearNorm);
    number("condition", matrix.condition);
    number("tailExponent", matrix.tailExponent);
    const bool calibrated = matrix.tokens > 0;
    json["calibrationCondition"] = calibrated ? ordered_json(matrix.calibrationCondition) : ordered_json(nullptr);
    json["calibrationRank"] = calibrated ? ordered_json(matrix.calibrationRank) : ordered_json(nullptr);
    json["ridge"] = matrix.ridge;
    json["nonFinite"] = {{"nan", matrix.nanCount}, {"infinite", matrix.infiniteCount}};
    json["preview"] = matrix.preview;
    json["previewError"] = matrix.preview ? ordered_json(matrix.previewError) : ordered_json(nullptr);
    json["warnings"] = matrix.warnings;
    return json;
}

ordered_json toJson(const report::MatrixBudget& matrix)
{
    ordered_json json{{"rank", matrix.rank}, {"dense", matrix.dense}, {"keep", matrix.keep}, {"loss", matrix.loss},
                      {"relativeLoss", matrix.relativeLoss}};
    json["heldOutRelativeLoss"] =
        std::isnan(matrix.heldOutRelativeLoss) ? ordered_json(nullptr) : ordered_json(matrix.heldOutRelativeLoss);
    json["cost"] = toJson(matrix.cost);
    return json;
}

} // namespace tamis::cli
