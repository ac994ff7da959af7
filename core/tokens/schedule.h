// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// How many tokens go in which block: the schedules of the methods' authors, and lists as a user types them.
#include "core/base/parameter_schema.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tamis::tokens {

/// "3,6,9". `subject` names the parameter. Throws Error{InvalidParameter} for anything but whole numbers of `minimum` to `maximum`
/// between commas; an empty text is an empty list.
std::vector<std::int64_t> parseIntegers(std::string_view text, std::int64_t minimum, std::int64_t maximum, const std::string& subject);
/// "0.9,0.7": the same for numbers.
std::vector<double> parseNumbers(std::string_view text, double minimum, double maximum, const std::string& subject);

/// Blocks as typed, ascending; "auto": 3, 6 and 9 of 12, scaled down to `depth` blocks, each once. Throws Error{InvalidParameter}.
std::vector<int> blocksOf(std::string_view text, int depth, const std::string& subject);
/// How many patches stay where a method prunes: a part of those there are, rounded up, or a number of them.
struct Keep {
    double part = 1;
    std::int64_t count = 0; ///< above 0: instead of the part
    Keep(double keptPart) : part(keptPart) {}
    static Keep number(std::int64_t patches);
    std::int64_t of(std::int64_t patches) const; ///< 1 to `patches`, where there are any
};
/// "0.9,180,0.5": parts from 0.01 to 1, or whole numbers of patches from 2 on. Throws Error{InvalidParameter}.
std::vector<Keep> parseKeeps(std::string_view text, const std::string& subject);
/// One for each of `blocks`: those of the parameter `schedule`, or `keep` in all where it is empty. Throws Error{InvalidParameter}.
std::vector<Keep> keepsOf(const Parameters& parameters, std::size_t blocks);
ParameterSpec scheduleParameter();
/// keep and blocks of methods that prune to ceil(keep patches) in each block of a list, by default in three.
ParameterSpec keepParameter();
ParameterSpec blocksParameter();

/// ToMe's parse_r: tokens to merge in each of `depth` blocks, r on the average; inflection -1 falls from 2 r to 0, 0 is constant, 1 rises.
std::vector<std::int64_t> mergeSchedule(int depth, std::int64_t r, double inflection);

} // namespace tamis::tokens
