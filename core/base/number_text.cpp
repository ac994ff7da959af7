// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/number_text.h"

#include <array>
#include <charconv>
#include <limits>

namespace tamis {

std::string fixedText(double value, int digits)
{
    std::array<char, std::numeric_limits<double>::max_exponent10 + 24> text; // the largest double: 309 digits, sign, point, 17 more
    return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed, digits).ptr};
}

} // namespace tamis
