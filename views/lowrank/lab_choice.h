// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What the low-rank lab's settings offer and hold, as values between views and controller.
#include "core/base/parameter_schema.h"

#include <QList>
#include <QString>
#include <QStringList>

#include <vector>

namespace tamis::views {

/// A method of the lab as its views name it.
struct LabMethod {
    QString id, title, reference;
    bool trains = false;  ///< takes minutes
    bool live = false;    ///< fast enough to follow a slider
    QString unavailable;  ///< why it cannot run now; empty: it can
    ParameterSchema schema;
    bool takesSamples = false; ///< reads samples where there are some; a method that is live does without, too
};

/// Names of the accountings and allocations that a budget knows, in menu order.
struct BudgetNames {
    QStringList allocations, accountings;
};

struct BudgetChoice {
    double keep = 0.6;
    QString allocation, accounting;
    int alignment = 1;
    bool operator==(const BudgetChoice&) const = default;
};

struct CompareChoice {
    QStringList methods;   ///< ids
    QList<double> keeps;   ///< descending, in (0, 1]
    QString allocation, accounting;
    int samples = 0;       ///< held-out samples at most, evenly spread; 0: all
    bool latency = true;   ///< measured
    bool operator==(const CompareChoice&) const = default;
};

/// "0.9, 0.6 0.4" as keeps, descending and without doubles; percentages above 1 are divided by 100. Empty with `problem` set
/// (one sentence) where it does not read as numbers in (0, 1], or (1, 100] for percentages.
QList<double> parseKeeps(const QString& text, QString& problem);
QString keepsText(const QList<double>& keeps); ///< "0.9, 0.6, 0.4"

} // namespace tamis::views
