// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The `pattern` of a stage in tokenizer.json: {"String": "..."} or {"Regex": "..."}. Only for sources.
#include "core/inputs/json_fields.h"

#include <string>
#include <string_view>

namespace tamis::inputs {

/// The text of {"String": text}. Throws Error{UnsupportedFeature} for a regular expression, Error{MalformedFile} for what is
/// neither or empty.
inline std::string stringPattern(const JsonFields& fields, const char* stage)
{
    const nlohmann::json* pattern = fields.find("pattern");
    const nlohmann::json absent;
    if (pattern == nullptr || !pattern->is_object())
        fields.refuse(std::string(stage) + " pattern", pattern != nullptr ? *pattern : absent, "{\"String\": text}");
    if (pattern->contains("Regex"))
        fields.refuse(std::string(stage) + " pattern", *pattern, "{\"String\": text}: this regular expression is not known here",
                      ErrorCode::UnsupportedFeature);
    const std::string text = JsonFields(*pattern, fields.subject()).word("String", "");
    if (text.empty())
        fields.refuse(std::string(stage) + " pattern", *pattern, "{\"String\": text} that is not empty");
    return text;
}

/// Every occurrence from left to right; `pattern` is not empty.
inline std::string replacedAll(std::string_view text, std::string_view pattern, std::string_view content)
{
    std::string result;
    std::size_t at = 0;
    for (std::size_t found; (found = text.find(pattern, at)) != std::string_view::npos; at = found + pattern.size())
        result.append(text.substr(at, found - at)).append(content);
    return result.append(text.substr(at));
}

} // namespace tamis::inputs
