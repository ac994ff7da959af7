// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// How the pages of the cache lab name sizes, and what they count.
#include "core/report/cache_report.h"

#include <QString>

#include <optional>
#include <vector>

namespace tamis::views {

/// "1 200 objects", "64 MiB".
QString cacheSizeText(std::uint64_t size, bool sized);
/// What a curve says at a size: `point` is computed there, or lies where the chart's line does, between the computed `below` and `above`.
struct CurveReading {
    report::PolicyPoint point; ///< between: of the ratios alone, the deviation the greater of the two
    const report::PolicyPoint* below = nullptr;
    const report::PolicyPoint* above = nullptr;
    bool computed() const noexcept { return below == above; }
};
/// Straight between neighbours over the logarithm of the size; nothing outside the computed sizes.
std::optional<CurveReading> readCurve(const report::PolicyCurve& curve, std::uint64_t size);
/// "LRU-K, k 3": the title, and the parameters that are not in `defaults`.
QString configurationTitle(const QString& title, const Parameters& parameters, const Parameters& defaults);

/// What a curve's height stands for.
struct CacheMeasure {
    enum class Counted { Requests, Bytes, Cost };
    Counted counted = Counted::Requests;
    bool misses = true;       ///< what is missed; else what is hit. A cost is always of misses
    double missMicros = 1000; ///< a miss costs so much,
    double nanosAByte = 0;    ///< and so much for each byte, or object where the trace has no sizes
    bool ofTrace = false;     ///< a cost is the misses' share of all that the trace's costs add up to
    bool operator==(const CacheMeasure&) const = default;
};

/// NaN: not measured. A cost: microseconds a request, or a share of the trace's costs.
double measureOf(const report::PolicyPoint& point, const CacheMeasure& measure);

} // namespace tamis::views
