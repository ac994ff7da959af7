// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What every scene of a lab is made of: a box with axes in parallel projection, and a strip on its right for the colour bar.
#include "views/common/theme.h"

#include <QPointF>
#include <QSize>

#include <array>
#include <memory>

class vtkCellPicker;
class vtkLookupTable;
class vtkProp;
class vtkScalarBarActor;

namespace tamis::views {

class BoxAxes;
class VtkWidget;

struct BoxLook {
    std::array<double, 3> extent{1, 1, 1}; ///< of the box from the origin, scene units
    std::array<double, 3> from{-1, -2, 2}; ///< where the camera stands after a reset, from the box's middle
    double strip = 80;                     ///< width of the colour bar's part, logical pixels
};

std::array<double, 3> rgb(Ink ink); ///< of the present theme, 0..1

/// Fills `widget`'s window with two viewports. The picture follows the window's size until the user turns, moves or zooms it.
/// GUI thread; the widget must outlive it.
class BoxScene {
public:
    BoxScene(VtkWidget& widget, const BoxLook& look);
    ~BoxScene();

    void add(vtkProp* prop); ///< to the box
    BoxAxes& axes();
    vtkLookupTable* colours();   ///< viridis; its range is the caller's
    vtkScalarBarActor* bar();    ///< of colours(); title, labels and format are the caller's
    void paint();                ///< ground, axes and bar in the theme's colours
    void setVisible(bool visible); ///< axes and bar
    void setSize(const QSize& devicePixels, double ratio); ///< keeps the strip and the texts at their logical size
    void resetCamera();
    void scheduleRender();

    void pickFrom(vtkProp* prop, double tolerance); ///< the one prop that pick() sees
    vtkCellPicker* pick(const QPointF& position) const; ///< what lies at these logical pixels; nullptr: nothing
    QPointF toPixel(const std::array<double, 3>& point) const; ///< logical pixels

private:
    struct Parts;
    std::unique_ptr<Parts> m_parts;
};

} // namespace tamis::views
