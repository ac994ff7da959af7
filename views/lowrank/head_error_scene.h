// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The VTK side of the layers x heads errors: bars on a grid, axes, colour bar, an outline around the chosen head.
#include <QPointF>
#include <QSize>
#include <QString>

#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace tamis::views {

class VtkWidget;

struct HeadBar {
    int layer = 0, head = 0;
    double value = 0; ///< height and colour; NaN: no bar
};

/// Fills `widget`'s window. Colours come from the theme at each show(). GUI thread; the widget must outlive it.
class HeadErrorScene {
public:
    explicit HeadErrorScene(VtkWidget& widget);
    ~HeadErrorScene();

    /// `most`: top of the height axis and of the colours, at least the largest value.
    void show(const std::vector<HeadBar>& bars, const QString& valueTitle, double most, std::optional<std::pair<int, int>> chosen);
    void resetCamera();
    void setSize(const QSize& devicePixels, double ratio);
    std::optional<std::pair<int, int>> headAt(const QPointF& position) const; ///< layer, head; logical pixels
    QPointF toPixel(int layer, int head) const; ///< middle of the bar's top, logical pixels

private:
    struct Parts;
    std::unique_ptr<Parts> m_parts;
};

} // namespace tamis::views
