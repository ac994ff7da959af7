// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/schedule.h"

#include "core/base/error.h"
#include "core/tokens/selection.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace tamis::tokens {
namespace {
std::string shortest(double value)
{
    char buffer[32];
    return {buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr};
}

std::string_view trimmed(std::string_view text)
{
    while (!text.empty() && text.front() == ' ')
        text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ')
        text.remove_suffix(1);
    return text;
}

template <class T> std::vector<T> parseList(std::string_view text, T minimum, T maximum, const std::string& range, const std::string& subject)
{
    std::vector<T> result;
    for (bool more = !trimmed(text).empty(); more;) {
        const std::size_t comma = text.find(',');
        more = comma != std::string_view::npos;
        const std::string_view item = trimmed(text.substr(0, comma));
        T value{};
        const auto [end, status] = std::from_chars(item.data(), item.data() + item.size(), value);
        if (status != std::errc() || end != item.data() + item.size() || !(value >= minimum && value <= maximum))
            throw Error(ErrorCode::InvalidParameter, "found '" + std::string(item) + "' in a list, expected " + range + " between commas", subject);
        result.push_back(value);
        if (more)
            text.remove_prefix(comma + 1);
    }
    return result;
}
} // namespace

std::vector<std::int64_t> parseIntegers(std::string_view text, std::int64_t minimum, std::int64_t maximum, const std::string& subject)
{
    return parseList<std::int64_t>(text, minimum, maximum, "whole numbers from " + std::to_string(minimum) + " to " + std::to_string(maximum), subject);
}

std::vector<double> parseNumbers(std::string_view text, double minimum, double maximum, const std::string& subject)
{
    return parseList<double>(text, minimum, maximum, "numbers from " + shortest(minimum) + " to " + shortest(maximum), subject);
}

std::vector<int> blocksOf(std::string_view text, int depth, const std::string& subject)
{
    std::vector<int> blocks;
    if (trimmed(text) == "auto") {
        for (int part = 1; part <= 3; ++part)
            if (const int block = depth * part / 4; blocks.empty() || block > blocks.back())
                blocks.push_back(block);
        return blocks;
    }
    for (const std::int64_t block : parseIntegers(text, 0, depth - 1, subject)) {
        if (!blocks.empty() && block <= blocks.back())
            throw Error(ErrorCode::InvalidParameter, "found block " + std::to_string(block) + " behind block " + std::to_string(blocks.back()) + ", expected ascending blocks", subject);
        blocks.push_back(static_cast<int>(block));
    }
    return blocks;
}

Keep Keep::number(std::int64_t patches)
{
    Keep keep(1);
    keep.count = patches;
    return keep;
}

std::int64_t Keep::of(std::int64_t patches) const
{
    return count > 0 ? std::clamp<std::int64_t>(count, 1, std::max<std::int64_t>(1, patches)) : keptOf(part, patches);
}

std::vector<Keep> parseKeeps(std::string_view text, const std::string& subject)
{
    constexpr double kLeastPart = 0.01, kMostPatches = 1'000'000;
    std::vector<Keep> keeps;
    for (const double value : parseNumbers(text, kLeastPart, kMostPatches, subject)) {
        if (value > 1 && value != std::floor(value))
            throw Error(ErrorCode::InvalidParameter, "found " + shortest(value) + " in a list, expected parts of the patches from 0.01 to 1, or whole numbers of patches from 2 on", subject);
        keeps.push_back(value > 1 ? Keep::number(static_cast<std::int64_t>(value)) : Keep(value));
    }
    return keeps;
}

std::vector<Keep> keepsOf(const Parameters& parameters, std::size_t blocks)
{
    std::vector<Keep> keeps = parseKeeps(parameters.text("schedule"), "schedule");
    if (keeps.empty())
        keeps.assign(blocks, Keep(parameters.real("keep")));
    if (keeps.size() != blocks)
        throw Error(ErrorCode::InvalidParameter, "found a list of " + std::to_string(keeps.size()) + " keeps, expected one for each of " + std::to_string(blocks) + " blocks", "schedule");
    return keeps;
}

ParameterSpec scheduleParameter()
{
    return {.name = "schedule", .title = "Schedule", .type = ParameterType::Text, .defaultValue = std::string(),
            .help = "A keep for each of the blocks instead, as parts 0.9,0.7,0.5 or numbers of patches 180,120,60; empty: keep in all"};
}

ParameterSpec keepParameter()
{
    return {.name = "keep", .title = "Keep", .type = ParameterType::Real, .defaultValue = 0.7, .minimum = 0.05, .maximum = 1, .step = 0.05,
            .help = "Part of the patches that each of the blocks keeps, rounded up"};
}

ParameterSpec blocksParameter()
{
    return {.name = "blocks", .title = "Blocks", .type = ParameterType::Text, .defaultValue = std::string("auto"),
            .help = "Where patches are pruned, from 0, as 3,6,9; auto: a quarter, a half and three quarters of the depth"};
}

std::vector<std::int64_t> mergeSchedule(int depth, std::int64_t r, double inflection)
{
    const auto least = std::trunc(static_cast<double>(r) * (1.0 - inflection));
    const double most = 2.0 * static_cast<double>(r) - least;
    const double step = depth > 1 ? (most - least) / (depth - 1) : 0.0;
    std::vector<std::int64_t> result;
    for (int block = 0; block < depth; ++block) {
        const volatile double rise = step * block; // rounded by itself, as the authors' Python does it: no fused multiply-add
        result.push_back(static_cast<std::int64_t>(least + rise));
    }
    return result;
}

} // namespace tamis::tokens
