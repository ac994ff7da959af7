// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The VTK side of the landscape: surface, axes, colour bar, highlighted layer.
#include "core/report/landscape.h"

#include <QPointF>
#include <QSize>
#include <QString>

#include <memory>
#include <optional>

namespace tamis::views {

class VtkWidget;

/// How a role is drawn.
struct LandscapeStyle {
    bool logarithmicIndex = false; ///< y: log10 of the index instead of its share of the rank
    bool relative = true;          ///< heights over each matrix's largest singular value
    bool operator==(const LandscapeStyle&) const = default;
};

/// Fills `widget`'s window with two viewports: the scene, and a strip on its right for the colour bar. Colours come from the
/// theme at each show(). GUI thread; the widget must outlive it.
class LandscapeScene {
public:
    explicit LandscapeScene(VtkWidget& widget);
    ~LandscapeScene();

    /// Draws `role` (null: nothing) with the tube over `selectedLayer` (-1: none). `positions`: Landscape::position.
    void show(const report::LandscapeRole* role, const std::vector<double>& positions, LandscapeStyle style, int selectedLayer);
    void resetCamera();
    void setSize(const QSize& devicePixels, double ratio); ///< keeps the strip and the texts at their logical size
    std::optional<int> rowAt(const QPointF& position) const; ///< row of the role; logical pixels; nothing off the surface
    QPointF toPixel(std::size_t row, std::size_t column) const; ///< logical pixels

private:
    struct Parts;
    std::unique_ptr<Parts> m_parts;
};

} // namespace tamis::views
