// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Axes of a box in a VTK scene whose texts keep their size on the screen and never lie over one another.
#include <QColor>
#include <QString>

#include <array>
#include <memory>
#include <vector>

class vtkRenderer;

namespace tamis::views {

struct AxisTick {
    double at = 0; ///< along its axis, 0..1
    QString label;
};

/// Grid on the three faces behind the content, one labelled edge for each axis, chosen anew for each frame from where the
/// camera stands. Where labels would touch, only every second (fifth, tenth ...) tick is shown.
class BoxAxes {
public:
    /// `renderer` must outlive this; the box goes from the origin to `extent` in scene units.
    BoxAxes(vtkRenderer& renderer, const std::array<double, 3>& extent);
    ~BoxAxes();

    void setAxis(int axis, const QString& title, const std::vector<AxisTick>& ticks); ///< 0, 1, 2: x, y, z
    void setColours(const QColor& title, const QColor& label, const QColor& grid);
    void setTextSize(double logicalPixels, double ratio);
    void setVisible(bool visible);
    /// Room that labels and titles need around the box, device pixels.
    double margin() const;

private:
    struct Parts;
    std::unique_ptr<Parts> m_parts;
};

} // namespace tamis::views
