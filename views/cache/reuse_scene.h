// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The VTK side of the reuse distances: time x distance, requests as height and colour, the cursor's size as a plane across.
#include "core/report/cache_size_report.h"

#include <QPointF>
#include <QSize>

#include <memory>
#include <optional>
#include <utility>

namespace tamis::views {

class VtkWidget;

/// Fills `widget`'s window. Colours come from the theme at each show(). GUI thread; the widget must outlive it.
class ReuseScene {
public:
    explicit ReuseScene(VtkWidget& widget);
    ~ReuseScene();

    void show(const report::TraceReport* trace); ///< null: nothing; copied
    /// `bins`: log2 of the size in objects, where the plane stands; nothing: no plane. Cheap: nothing else moves.
    void setPlane(std::optional<double> bins);
    std::optional<double> planeAt() const; ///< of the box's depth, 0 .. 1, as it is drawn
    void resetCamera();
    void setSize(const QSize& devicePixels, double ratio);
    std::optional<std::pair<int, int>> cellAt(const QPointF& position) const; ///< column, bin; logical pixels
    QPointF toPixel(int column, int bin) const; ///< middle of the bar's top, logical pixels

private:
    struct Parts;
    std::unique_ptr<Parts> m_parts;
};

} // namespace tamis::views
