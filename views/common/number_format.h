// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Numbers as people read them; the same in every locale. NaN is a dash.
#include <QString>

#include <cstdint>

namespace tamis::views {

QString formatCount(double count);   ///< "512", "1.23 k", "4.56 M", "7.89 G": parameters, MACs
QString formatBytes(double bytes);   ///< "512 B", "4.7 MiB"
QString formatPercent(double fraction, int decimals = 1); ///< 0.256 -> "25.6 %"
QString formatNumber(double value, int digits = 4);       ///< shortest of fixed and scientific
QString formatMilliseconds(double ms);                    ///< "0.82 ms", "1.24 s"
QString formatChange(double before, double after);        ///< "−38.2 %"
QString formatDuration(double seconds);                   ///< "0.4 s", "1 min 20 s"

} // namespace tamis::views
