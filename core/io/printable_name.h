// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <string>
#include <string_view>

namespace tamis::io {

/// A name from an untrusted file as it may stand in a one-line message: cut to 256 bytes, control characters as '?'.
inline std::string printableName(std::string_view name)
{
    std::string text(name.substr(0, 256));
    for (char& c : text)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
            c = '?';
    return text;
}

} // namespace tamis::io
