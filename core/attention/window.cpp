// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/window.h"

#include "core/base/error.h"

#include <charconv>
#include <cmath>
#include <memory>
#include <numeric>
#include <vector>

namespace tamis::attention {
namespace {
constexpr std::int64_t kMostSide = 1'000'000;

std::vector<std::int64_t> numbersOf(const std::string& list)
{
    std::vector<std::int64_t> numbers;
    for (std::size_t at = 0; at <= list.size();) {
        const std::size_t comma = std::min(list.find(',', at), list.size());
        std::size_t first = at, last = comma;
        while (first < last && list[first] == ' ')
            ++first;
        while (last > first && list[last - 1] == ' ')
            --last;
        std::int64_t value = 0;
        const auto [stop, error] = std::from_chars(list.data() + first, list.data() + last, value);
        if (error != std::errc() || stop != list.data() + last || value < 1 || value > kMostSide)
            throw Error(ErrorCode::InvalidParameter, "found '" + list.substr(first, last - first) + "', expected numbers of 1 to " + std::to_string(kMostSide) + " with commas between them", "schedule");
        numbers.push_back(value);
        at = comma + 1;
    }
    return numbers;
}

struct Chosen {
    TokenGrid grid;
    std::int64_t side = 1, shift = 0;
};

Chosen chosenFor(const Inputs& inputs, const Parameters& given)
{
    const Parameters parameters = windowMethod().declaration.schema.complete(given);
    Chosen chosen{.grid = gridOf(inputs, "attention.window")};
    chosen.side = windowSide(parameters.text("schedule"), parameters.integer("window"), parameters.integer("last-window"), inputs.block, inputs.blocks);
    chosen.shift = parameters.boolean("shift") && inputs.block % 2 == 1 ? chosen.side / 2 : 0;
    return chosen;
}

nn::AttentionPtr windowOp(const Inputs& inputs, const Parameters& given)
{
    const Chosen chosen = chosenFor(inputs, given);
    return headwise(inputs.spec, windowRule(chosen.grid, chosen.side, chosen.shift));
}
} // namespace

GroupsOf windowGroups(const TokenGrid& grid, std::int64_t side, std::int64_t shift)
{
    return [=](std::int64_t tokens, const std::function<void(const TokenGroup&)>& each) {
        std::vector<std::int32_t> prefix(static_cast<std::size_t>(grid.prefix));
        std::iota(prefix.begin(), prefix.end(), 0);
        for (std::vector<std::int32_t>& window : windowsOf(grid, tokens, side, shift)) {
            TokenGroup group{.queries = std::move(window), .keys = prefix};
            group.keys.insert(group.keys.end(), group.queries.begin(), group.queries.end());
            each(group);
        }
        if (grid.prefix > 0) {
            std::vector<std::int32_t> all(static_cast<std::size_t>(tokens));
            std::iota(all.begin(), all.end(), 0);
            each({std::move(prefix), std::move(all)});
        }
    };
}

HeadRulePtr windowRule(const TokenGrid& grid, std::int64_t side, std::int64_t shift) { return groupedRule("window", windowGroups(grid, side, shift), grid.tokens()); }

std::int64_t windowSide(const std::string& schedule, std::int64_t first, std::int64_t last, int block, int blocks)
{
    if (schedule.empty()) {
        if (last == 0 || blocks < 2)
            return first;
        return std::llround(static_cast<double>(first) + static_cast<double>(last - first) * block / (blocks - 1));
    }
    const std::vector<std::int64_t> sides = numbersOf(schedule);
    if (sides.size() == 1)
        return sides.front();
    if (sides.size() != static_cast<std::size_t>(blocks))
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(sides.size()) + " windows, expected one for each of " + std::to_string(blocks) + " blocks, or one for all", "schedule");
    return sides[static_cast<std::size_t>(block)];
}

Method windowMethod()
{
    Method method;
    method.declaration = {
        .id = "attention.window",
        .lab = "attention",
        .title = "Windows of the grid, shifted in every other block",
        .reference = "Liu et al. 2021, Swin Transformer: attention within windows that do not overlap, and windows shifted by half of one in every other block",
        .schema = ParameterSchema({
            {.name = "window", .title = "Window", .type = ParameterType::Integer, .defaultValue = std::int64_t{8}, .minimum = 1, .maximum = 1'000'000, .step = 1, .logarithmic = true, .unit = "patches",
             .help = "Side of a window of the grid; texts: tokens of a run. Of the first block, where the last one has another"},
            {.name = "last-window", .title = "Window of the last block", .type = ParameterType::Integer, .defaultValue = std::int64_t{0}, .minimum = 0, .maximum = 1'000'000, .step = 1, .logarithmic = true, .unit = "patches",
             .help = "Between the first and the last block in equal steps; 0: the same in all"},
            {.name = "schedule", .title = "Windows by block", .type = ParameterType::Text, .defaultValue = std::string(), .help = "A list like 4,4,8,8,14,14, one for each block, in place of both; empty: none"},
            {.name = "shift", .title = "Shift", .type = ParameterType::Boolean, .defaultValue = true, .help = "By half a window, rounded down, in blocks 1, 3, 5 ...: windows pass on what neighbours know"},
        })};
    method.op = windowOp;
    method.onTape = [](const Inputs& inputs, const Parameters& given) {
        const Chosen chosen = chosenFor(inputs, given);
        return maskedOnTape(inputs.spec, visibleIn(windowGroups(chosen.grid, chosen.side, chosen.shift)), windowOp(inputs, given));
    };
    return method;
}

} // namespace tamis::attention
