// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Numbers as text for files and remarks: the same whatever the locale.
#include <string>

namespace tamis {

/// With `digits` (0 to 17) behind the point, rounded to the nearest: "0.83", "-1.50"; "nan", "inf" and "-inf" for what is no number.
std::string fixedText(double value, int digits);

} // namespace tamis
