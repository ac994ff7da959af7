// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/lowrank/lab_choice.h"

#include <QCoreApplication>
#include <QRegularExpression>

#include <algorithm>

namespace tamis::views {

QList<double> parseKeeps(const QString& text, QString& problem)
{
    problem.clear();
    QList<double> keeps;
    static const QRegularExpression separators(QStringLiteral("[,;\\s]+"));
    static const QRegularExpression beforePercent(QStringLiteral("\\s+%"));
    for (QString word : QString(text).replace(beforePercent, QStringLiteral("%")).split(separators, Qt::SkipEmptyParts)) {
        const QString typed = word;
        const bool percent = word.endsWith(QLatin1Char('%'));
        if (percent)
            word.chop(1);
        bool ok = false;
        double keep = word.toDouble(&ok);
        if (percent || keep > 1)
            keep /= 100;
        if (!ok || !(keep > 0) || keep > 1) {
            problem = QCoreApplication::translate("CompareSettings", "\"%1\" is no keep: a fraction above 0 and at most 1 is expected, such as 0.6.").arg(typed.left(20));
            return {};
        }
        if (!keeps.contains(keep))
            keeps << keep;
    }
    if (keeps.isEmpty())
        problem = QCoreApplication::translate("CompareSettings", "At least one keep is needed, such as 0.6.");
    std::sort(keeps.begin(), keeps.end(), std::greater<>());
    return keeps;
}

QString keepsText(const QList<double>& keeps)
{
    QStringList words;
    for (const double keep : keeps)
        words << QString::number(keep, 'g', 6);
    return words.join(QStringLiteral(", "));
}

} // namespace tamis::views
