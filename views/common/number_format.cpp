// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/common/number_format.h"

#include <QLocale>

#include <cmath>

namespace tamis::views {
namespace {
const QString kDash = QStringLiteral("–");

QString number(double value, char format, int precision) { return QLocale::c().toString(value, format, precision); }

QString scaled(double value, double base, std::initializer_list<const char*> units)
{
    if (!std::isfinite(value))
        return kDash;
    auto unit = units.begin();
    while (std::abs(value) >= base * 0.9995 && unit + 1 != units.end()) {
        value /= base;
        ++unit;
    }
    const bool whole = unit == units.begin();
    const int decimals = whole ? 0 : std::abs(value) < 10 ? 2 : std::abs(value) < 100 ? 1 : 0;
    const QString text = number(value, 'f', decimals);
    return **unit ? text + QChar(0x202f) + QLatin1String(*unit) : text;
}
} // namespace

QString formatCount(double count) { return scaled(count, 1000, {"", "k", "M", "G", "T", "P"}); }
QString formatBytes(double bytes) { return scaled(bytes, 1024, {"B", "KiB", "MiB", "GiB", "TiB"}); }

QString formatPercent(double fraction, int decimals)
{
    return std::isfinite(fraction) ? number(fraction * 100, 'f', decimals) + QStringLiteral("\u202f%") : kDash;
}

QString formatNumber(double value, int digits)
{
    if (std::isnan(value))
        return kDash;
    if (std::isinf(value))
        return value > 0 ? QStringLiteral("∞") : QStringLiteral("−∞");
    const double size = std::abs(value);
    if (size != 0 && (size < 1e-3 || size >= 1e6))
        return number(value, 'e', digits - 2);
    return number(value, 'g', digits);
}

QString formatMilliseconds(double ms)
{
    if (!std::isfinite(ms))
        return kDash;
    if (ms >= 1000)
        return number(ms / 1000, 'f', 2) + QStringLiteral("\u202fs");
    return number(ms, 'f', ms < 10 ? 2 : ms < 100 ? 1 : 0) + QStringLiteral("\u202fms");
}

QString formatChange(double before, double after)
{
    if (!std::isfinite(before) || !std::isfinite(after) || before == 0)
        return kDash;
    const double change = (after / before - 1) * 100;
    const QString size = number(std::abs(change), 'f', 1) + QStringLiteral("\u202f%");
    if (size.startsWith(QLatin1String("0.0")))
        return QStringLiteral("±0\u202f%");
    return (change < 0 ? QStringLiteral("−") : QStringLiteral("+")) + size;
}

QString formatDuration(double seconds)
{
    if (!std::isfinite(seconds))
        return kDash;
    if (seconds < 60)
        return number(seconds, 'f', 1) + QStringLiteral(" s");
    const int whole = static_cast<int>(seconds);
    return QStringLiteral("%1 min %2 s").arg(whole / 60).arg(whole % 60);
}

} // namespace tamis::views
