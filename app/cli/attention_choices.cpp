// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/attention_choices.h"

#include "app/attention/planned_attention.h"
#include "app/cli/method_choice.h"
#include "app/cli/run_inputs.h"
#include "app/cli/usage_error.h"

#include <algorithm>

namespace tamis::cli {
namespace {
constexpr std::int64_t kMost = 1'000'000; ///< blocks and heads; what the model has is said when operators are made
} // namespace

std::optional<std::vector<int>> blocksFrom(const std::string& text)
{
    if (text == "none")
        return std::nullopt;
    std::vector<int> blocks;
    for (std::size_t at = 0; at < text.size() && text != "all";) {
        const std::size_t comma = std::min(text.find(',', at), text.size());
        blocks.push_back(static_cast<int>(parseInteger(text.substr(at, comma - at), "--blocks " + text, 0, kMost)));
        at = comma + 1;
    }
    return blocks;
}

std::vector<std::string> settingsBetween(const std::string& text, char separator)
{
    std::vector<std::string> settings;
    for (std::size_t at = 0; at <= text.size();) {
        const std::size_t next = std::min(text.find(separator, at), text.size());
        const std::string piece = text.substr(at, next - at);
        if (settings.empty() || piece.find('=') != std::string::npos)
            settings.push_back(piece);
        else
            settings.back() += separator + piece;
        at = next + 1;
    }
    return settings;
}

attention::HeadChoice choiceFrom(const std::string& text, const CommonOptions& common)
{
    const auto [place, what] = splitAssignment(text, "--choose");
    const std::size_t colon = place.find(':');
    attention::HeadChoice choice;
    choice.block = static_cast<int>(parseInteger(place.substr(0, colon), "--choose " + text + ": block", 0, kMost));
    if (colon != std::string::npos)
        choice.head = parseInteger(place.substr(colon + 1), "--choose " + text + ": head", 0, kMost);
    const std::size_t first = what.find(',');
    const std::vector<std::string> settings = first == std::string::npos ? std::vector<std::string>() : settingsBetween(what.substr(first + 1), ',');
    const std::string id = what.substr(0, first);
    if (id == "exact") {
        if (!settings.empty())
            throw UsageError("--choose " + text + ": found a setting of exact attention, expected none");
        return choice;
    }
    const attention::Method& method = methodAmong(attention::methods(), id, ", or exact");
    choice.method = method.declaration.id;
    choice.parameters = parametersFrom(method.declaration, settings, common);
    return choice;
}

std::pair<int, std::int64_t> headFrom(const std::string& text, const std::string& flag)
{
    const std::size_t colon = text.find(':');
    if (colon == std::string::npos)
        throw UsageError(flag + ": found '" + text + "', expected LAYER:HEAD, such as 3:1");
    return {static_cast<int>(parseInteger(text.substr(0, colon), flag + " " + text + ": layer", 0, kMost)), parseInteger(text.substr(colon + 1), flag + " " + text + ": head", 0, kMost)};
}

std::vector<attention::HeadChoice> choicesFrom(const RunOptions& options, const nn::Model& model, const std::string& method, const Parameters& parameters, const std::optional<plan::Plan>& plan,
                                               const CommonOptions& common)
{
    std::vector<attention::HeadChoice> choices = plan ? app::choicesOf(*plan, options.plan) : std::vector<attention::HeadChoice>();
    const bool planned = !choices.empty();
    if (planned && options.blocks.empty() && !options.settings.empty())
        throw UsageError("--set beside --plan: " + options.plan + " says what stands where, expected --blocks with the blocks that take " + method + ", or --choose");
    if (const auto blocks = blocksFrom(options.blocks); blocks && !(planned && options.blocks.empty()))
        std::ranges::move(attention::everywhere(model, method, parameters, *blocks), std::back_inserter(choices));
    for (const std::string& text : options.choices)
        choices.push_back(choiceFrom(text, common));
    return choices;
}

} // namespace tamis::cli
