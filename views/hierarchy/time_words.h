// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "views/common/number_format.h"

namespace tamis::views {

/// "12.5 ns", "33.1 µs", "1.24 s".
inline QString formatNanoseconds(double ns)
{
    return ns < 1000 ? QStringLiteral("%1 ns").arg(formatNumber(ns, 3)) : ns < 1e6 ? QStringLiteral("%1 µs").arg(formatNumber(ns / 1000, 3)) : formatMilliseconds(ns * 1e-6);
}

/// "12.5 pJ", "3.1 µJ": of the hierarchy's energies.
inline QString formatPicojoules(double pj)
{
    constexpr const char* kUnits[]{"pJ", "nJ", "µJ", "mJ", "J"};
    int unit = 0;
    for (; pj >= 1000 && unit < 4; ++unit)
        pj /= 1000;
    return QStringLiteral("%1 %2").arg(formatNumber(pj, 3), QString::fromUtf8(kUnits[unit]));
}

} // namespace tamis::views
