// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/file_names.h"

#include <algorithm>
#include <cctype>
#include <set>
#include <string_view>

namespace tamis {
namespace {
constexpr std::size_t kLongest = 150;
constexpr std::string_view kForbidden = "/\\:*?\"<>|";

std::string stemOf(const std::string& name)
{
    const std::size_t slash = name.find_last_of('/'), dot = name.find_last_of('.');
    const bool suffixed = dot != std::string::npos && dot > (slash == std::string::npos ? 0 : slash + 1);
    std::string stem = suffixed ? name.substr(0, dot) : name;
    for (char& c : stem)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f || kForbidden.find(c) != std::string_view::npos)
            c = '_';
    if (stem.size() > kLongest) {
        std::size_t end = kLongest;
        while (end > 0 && (static_cast<unsigned char>(stem[end]) & 0xc0) == 0x80) // the middle of a letter
            --end;
        stem.resize(end);
    }
    while (!stem.empty() && (stem.back() == '.' || stem.back() == ' '))
        stem.pop_back();
    if (stem.empty() || stem.front() == '.')
        stem.insert(0, "_");
    return stem;
}

std::string lowered(std::string text)
{
    std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(c < 0x80 ? std::tolower(c) : c); });
    return text;
}
} // namespace

std::vector<std::string> fileStems(const std::vector<std::string>& names)
{
    std::vector<std::string> stems;
    std::set<std::string> taken;
    for (const auto& name : names) {
        const std::string stem = stemOf(name);
        std::string own = stem;
        for (int twin = 2; !taken.insert(lowered(own)).second; ++twin)
            own = stem + "-" + std::to_string(twin);
        stems.push_back(std::move(own));
    }
    return stems;
}

} // namespace tamis
