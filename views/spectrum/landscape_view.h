// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/landscape.h"

#include <QImage>
#include <QWidget>

#include <memory>

class QComboBox;

namespace tamis::views {

/// The spectra of one role over the layers as a surface: x layer, y index of the singular value, height and colour its
/// log10. Left button rotates, middle or Shift pans, wheel or right button zooms; a click picks the layer. Without OpenGL a
/// sentence stands in its place.
class LandscapeView : public QWidget {
    Q_OBJECT
public:
    explicit LandscapeView(QWidget* parent = nullptr);
    ~LandscapeView() override;

    void setLandscape(std::shared_ptr<const report::Landscape> landscape); ///< keeps role and camera where they still fit
    void setSelectedLayer(int layer); ///< -1: none; drawn as a tube
    int selectedLayer() const noexcept { return m_selectedLayer; }
    QString role() const;
    void setRole(const QString& role);
    bool hasScene() const noexcept { return m_scene != nullptr; }
    /// The picture with axes and bar; a null image where there is no OpenGL.
    QImage snapshot();
    /// Where a point of the surface is drawn, in the scene widget's coordinates: row of the surface, sample of its index axis.
    QPointF toPixel(std::size_t row, std::size_t sample) const;
    QWidget* sceneWidget() const;

public slots:
    void resetView();

signals:
    void layerPicked(int layer, const QString& role, const QString& matrix);

private:
    struct Scene;
    void buildToolBar();
    void fillRoles();
    void rebuild(bool resetCamera);
    void pick(const QPointF& position);
    const report::LandscapeRole* shownRole() const;

    std::shared_ptr<const report::Landscape> m_landscape;
    int m_selectedLayer = -1;
    QWidget* m_bar = nullptr;
    QComboBox* m_role = nullptr;
    QComboBox* m_index = nullptr;  ///< share of the rank, logarithmic
    QComboBox* m_height = nullptr; ///< relative to the largest, absolute
    std::unique_ptr<Scene> m_scene;
};

} // namespace tamis::views
