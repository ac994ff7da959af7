// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Words that policies say of an object they hold. Private to the lab.
#include "core/cache/object_lists.h"

#include <string>

namespace tamis::cache {

/// "1 request", "3 requests".
inline std::string counted(std::uint64_t number, const std::string& noun) { return std::to_string(number) + " " + noun + (number == 1 ? "" : "s"); }

/// "once", "twice", "3 times".
inline std::string timesText(std::uint64_t number) { return number == 1 ? "once" : number == 2 ? "twice" : std::to_string(number) + " times"; }

/// "1st", "2nd", "11th".
inline std::string ordinal(std::uint64_t number)
{
    const std::uint64_t last = number % 10;
    const bool teen = number % 100 / 10 == 1;
    return std::to_string(number) + (teen || last == 0 || last > 3 ? "th" : last == 1 ? "st" : last == 2 ? "nd" : "rd");
}

/// "last of 8", "3rd from the end of 8": of its list. "" in none. Walks from the end to it.
inline std::string placeText(const ObjectLists& lists, std::uint32_t object)
{
    const std::size_t in = lists[object].list;
    if (in == 0)
        return {};
    std::uint64_t place = 1;
    for (std::uint32_t at = lists.back(in); at != object; at = lists[at].towardsFront)
        ++place;
    return (place == 1 ? "last" : ordinal(place) + " from the end") + " of " + std::to_string(lists.list(in).objects);
}

} // namespace tamis::cache
