// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/cache_size_report.h"
#include "views/common/figure.h"

#include <QImage>
#include <QTimer>
#include <QWidget>

#include <memory>
#include <optional>

class QLabel;
class QStackedLayout;
class QToolButton;

namespace tamis::views {

class HeatMap;

/// How far apart requests of the same object are, over time, as bars in space, with the cursor's size as a plane: least recently used hits what lies
/// before it. Without OpenGL, and at the user's wish, a flat heat map in which the bin of the size is marked.
class ReuseDistanceView : public QWidget, public Figure {
    Q_OBJECT
public:
    explicit ReuseDistanceView(QWidget* parent = nullptr);
    ~ReuseDistanceView() override;

    void setTrace(std::shared_ptr<const report::TraceReport> trace); ///< null: none
    void setObjects(std::optional<double> objects); ///< that a cache of the cursor's size holds; nothing: no mark
    void setCaption(const QString& settings) { m_caption = settings; }
    bool hasScene() const noexcept { return m_scene != nullptr; }
    HeatMap* flat() const { return m_flat; }
    QWidget* sceneWidget() const;
    std::optional<double> planeAt() const; ///< of the depth, 0 .. 1; nothing: no scene, or none is drawn
    QImage snapshot();
    QString word() const; ///< what lies before the mark, below the picture

    QSize figureSize() const override;
    void paintFigure(QPainter& painter) const override; ///< the flat map: a vector drawing
    QString figureCsv() const override;
    QString figureCaption() const override { return m_caption; }

public slots:
    void resetView();

private:
    struct Scene;
    void rebuild();
    void mark();
    bool marks() const; ///< there is a size, and a trace
    void placePlane();
    double within() const; ///< share of the requests that came at a distance below the mark; NaN: none

    std::shared_ptr<const report::TraceReport> m_trace;
    QTimer m_plane; ///< until the plane in space is where the mark is: drawing that takes longer than a drag may wait
    std::optional<double> m_objects;
    QString m_caption;
    HeatMap* m_flat;
    QLabel* m_word;
    QToolButton* m_form;
    QStackedLayout* m_pages = nullptr;
    std::unique_ptr<Scene> m_scene;
};

} // namespace tamis::views
