// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What can be exported: a picture, the numbers behind it and the settings that made it.
#include <QObject>
#include <QSize>
#include <QString>

class QPainter;

namespace tamis::views {

Q_NAMESPACE
enum class FigureFormat { Png, Svg, Csv };
Q_ENUM_NS(FigureFormat)

/// Implemented by charts and tables. GUI thread.
class Figure {
public:
    virtual ~Figure() = default;
    virtual QSize figureSize() const = 0;                ///< logical pixels
    virtual void paintFigure(QPainter& painter) const = 0; ///< into (0, 0, figureSize()), background included; no hover marks
    virtual QString figureCsv() const = 0;               ///< header line and rows, '\n', without the caption
    virtual QString figureCaption() const = 0;           ///< settings, one line or several
};

} // namespace tamis::views
