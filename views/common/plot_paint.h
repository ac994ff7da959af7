// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What the labs' own pictures have in common: boxes with words, ticks of logarithmic axes.
#include "views/common/theme.h"

#include <QPointF>
#include <QRectF>
#include <QStringList>

#include <vector>

class QPainter;

namespace tamis::views {

/// Lines in a box beside `anchor`, inside `bounds`; nothing for no lines.
void drawHoverBox(QPainter& painter, const QRectF& bounds, const QPointF& anchor, const QStringList& lines);
/// Words on a filled box, centred on `middle` as far as `bounds` has room; returns the box.
QRectF drawTag(QPainter& painter, const QRectF& bounds, const QPointF& middle, const QString& text, Ink ink);
/// `text` upwards along the left edge, centred on the height of `area`.
void drawAxisTitle(QPainter& painter, const QRectF& area, const QString& text);
/// A frame for the widget that has the keys.
void drawFocus(QPainter& painter, const QRectF& bounds);

/// Values to label on a logarithmic axis from `low` (> 0) to `high`: 1, 2, 5 of each decade, fewer where there is room for `most` (>= 2)
/// only.
std::vector<double> logTicks(double low, double high, int most);
/// The same on a linear axis, at round steps.
std::vector<double> linearTicks(double low, double high, int most);

} // namespace tamis::views
