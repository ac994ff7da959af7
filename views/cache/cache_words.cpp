// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/cache/cache_words.h"

#include "views/common/number_format.h"

#include <QCoreApplication>
#include <QLocale>

#include <algorithm>
#include <cmath>

namespace tamis::views {

QString cacheSizeText(std::uint64_t size, bool sized)
{
    if (sized)
        return formatBytes(static_cast<double>(size));
    QString digits = QString::number(size);
    for (qsizetype at = digits.size() - 3; at > 0 && digits.size() > 4; at -= 3)
        digits.insert(at, QChar(0x202F)); // narrow no-break space
    return size == 1 ? QCoreApplication::translate("CacheWords", "1 object") : QCoreApplication::translate("CacheWords", "%1 objects").arg(digits);
}

std::optional<CurveReading> readCurve(const report::PolicyCurve& curve, std::uint64_t size)
{
    const auto above = std::ranges::lower_bound(curve.points, size, {}, &report::PolicyPoint::size);
    if (above == curve.points.end() || (above->size != size && above == curve.points.begin()))
        return std::nullopt;
    if (above->size == size)
        return CurveReading{*above, &*above, &*above};
    const report::PolicyPoint &low = above[-1], &high = *above;
    const auto of = [](std::uint64_t each) { return std::log(static_cast<double>(std::max<std::uint64_t>(each, 1))); };
    const double share = (of(size) - of(low.size)) / (of(high.size) - of(low.size));
    const auto between = [&](double report::PolicyPoint::* ratio) { return std::lerp(low.*ratio, high.*ratio, share); };
    CurveReading read{low, &low, &high};
    read.point.size = size;
    for (double report::PolicyPoint::* ratio : {&report::PolicyPoint::hitRatio, &report::PolicyPoint::byteHitRatio, &report::PolicyPoint::costMissRatio, &report::PolicyPoint::unruledHitRatio})
        read.point.*ratio = between(ratio);
    read.point.deviation = std::max(low.deviation, high.deviation);
    return read;
}

QString configurationTitle(const QString& title, const Parameters& parameters, const Parameters& defaults)
{
    QString text = title;
    for (const auto& [name, value] : parameters.all())
        if (!defaults.contains(name) || defaults.value(name) != value)
            text += QStringLiteral(", %1 %2").arg(QString::fromStdString(name), QString::fromStdString(toText(value)));
    return text;
}

double measureOf(const report::PolicyPoint& point, const CacheMeasure& measure)
{
    using Counted = CacheMeasure::Counted;
    if (measure.counted == Counted::Cost && measure.ofTrace)
        return point.costMissRatio;
    if (measure.counted == Counted::Cost) {
        const double missed = 1 - point.hitRatio, missedBytes = 1 - point.byteHitRatio;
        const double bytesARequest = point.requests > 0 ? static_cast<double>(point.bytes) / static_cast<double>(point.requests) : 0;
        return missed * measure.missMicros + missedBytes * bytesARequest * measure.nanosAByte / 1000;
    }
    const double hit = measure.counted == Counted::Bytes ? point.byteHitRatio : point.hitRatio;
    return measure.misses ? 1 - hit : hit;
}

} // namespace tamis::views
