// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/vtk/box_scene.h"

#include "views/vtk/box_axes.h"
#include "views/vtk/vtk_widget.h"

#include <vtkCamera.h>
#include <vtkCellPicker.h>
#include <vtkGenericOpenGLRenderWindow.h>
#include <vtkInteractorStyleTrackballCamera.h>
#include <vtkLookupTable.h>
#include <vtkNew.h>
#include <vtkObjectFactory.h>
#include <vtkRenderer.h>
#include <vtkScalarBarActor.h>
#include <vtkTextProperty.h>

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
constexpr double kTextSize = 11; ///< logical pixels
constexpr int kColours = 256;

/// Rotates, pans and zooms; without the single-letter commands of VTK's styles (wireframe, stereo, quit).
class QuietTrackball : public vtkInteractorStyleTrackballCamera {
public:
    static QuietTrackball* New();
    vtkTypeMacro(QuietTrackball, vtkInteractorStyleTrackballCamera)
    void OnChar() override {}
};
vtkStandardNewMacro(QuietTrackball);

void prepareText(vtkTextProperty* property, Ink ink)
{
    property->SetColor(rgb(ink).data());
    property->SetFontFamilyToArial();
    property->BoldOff();
    property->ItalicOff();
    property->ShadowOff();
    property->SetFontSize(static_cast<int>(kTextSize)); // the window's DPI scales it
}
} // namespace

std::array<double, 3> rgb(Ink ink)
{
    const QColor color = Theme::instance().color(ink);
    return {color.redF(), color.greenF(), color.blueF()};
}

struct BoxScene::Parts {
    Parts(VtkWidget& host, const BoxLook& as) : widget(host), look(as) {}
    bool untouched() const;
    void fit();

    VtkWidget& widget;
    const BoxLook look;
    vtkRenderer* scene = nullptr; ///< owned by the window
    vtkRenderer* strip = nullptr;
    vtkNew<QuietTrackball> interaction;
    vtkNew<vtkLookupTable> colours;
    vtkNew<vtkScalarBarActor> bar;
    vtkNew<vtkCellPicker> picker;
    std::unique_ptr<BoxAxes> axes;
    QSize size{640, 480}; ///< of the window, device pixels
    double edge = 1;      ///< right side of the scene's viewport
    double fittedScale = 0;
    std::array<double, 3> fittedPosition{};
};

BoxScene::BoxScene(VtkWidget& widget, const BoxLook& look) : m_parts(std::make_unique<Parts>(widget, look))
{
    Parts& p = *m_parts;
    p.scene = widget.addRenderer();
    p.strip = widget.addRenderer();
    p.strip->InteractiveOff();
    widget.setInteractorStyle(p.interaction);
    p.interaction->SetDefaultRenderer(p.scene);
    p.colours->SetNumberOfTableValues(kColours);
    for (int i = 0; i < kColours; ++i) {
        const auto c = Theme::viridis(i / (kColours - 1.0));
        p.colours->SetTableValue(i, c[0], c[1], c[2]);
    }
    p.axes = std::make_unique<BoxAxes>(*p.scene, look.extent);
    p.bar->SetLookupTable(p.colours);
    p.bar->UnconstrainedFontSizeOn();
    p.bar->SetMaximumNumberOfColors(kColours);
    p.bar->SetPosition(0.05, 0.08);
    p.bar->SetWidth(0.9);
    p.bar->SetHeight(0.84);
    p.bar->SetBarRatio(0.22);
    p.bar->SetTextPositionToSucceedScalarBar();
    p.strip->AddViewProp(p.bar);
    p.picker->PickFromListOn();
    setSize(p.size, 1);
}

BoxScene::~BoxScene() = default;

void BoxScene::add(vtkProp* prop) { m_parts->scene->AddViewProp(prop); }
BoxAxes& BoxScene::axes() { return *m_parts->axes; }
vtkLookupTable* BoxScene::colours() { return m_parts->colours; }
vtkScalarBarActor* BoxScene::bar() { return m_parts->bar; }
void BoxScene::scheduleRender() { m_parts->widget.scheduleRender(); }

void BoxScene::paint()
{
    Parts& p = *m_parts;
    const Theme& theme = Theme::instance();
    p.scene->SetBackground(rgb(Ink::Panel).data());
    p.strip->SetBackground(rgb(Ink::Panel).data());
    prepareText(p.bar->GetTitleTextProperty(), Ink::Text);
    prepareText(p.bar->GetLabelTextProperty(), Ink::MutedText);
    p.axes->setColours(theme.color(Ink::Text), theme.color(Ink::MutedText), theme.color(Ink::Border));
}

void BoxScene::setVisible(bool visible)
{
    m_parts->bar->SetVisibility(visible);
    m_parts->axes->setVisible(visible);
}

void BoxScene::setSize(const QSize& devicePixels, double ratio)
{
    Parts& p = *m_parts;
    const bool follow = p.fittedScale == 0 || p.untouched();
    p.size = devicePixels;
    p.edge = std::clamp(1 - p.look.strip * ratio / std::max(devicePixels.width(), 1), 0.5, 1.0);
    p.scene->SetViewport(0, 0, p.edge, 1);
    p.strip->SetViewport(p.edge, 0, 1, 1);
    p.axes->setTextSize(kTextSize, ratio);
    p.bar->SetTextPad(static_cast<int>(4 * ratio));
    p.bar->SetVerticalTitleSeparation(static_cast<int>(8 * ratio));
    if (follow)
        p.fit();
}

/// The user has neither turned nor moved nor zoomed since the last fit.
bool BoxScene::Parts::untouched() const
{
    auto* camera = scene->GetActiveCamera();
    return camera->GetParallelScale() == fittedScale && std::equal(fittedPosition.begin(), fittedPosition.end(), camera->GetPosition());
}

/// Parallel projection in which the box and its texts fill the viewport.
void BoxScene::Parts::fit()
{
    auto* camera = scene->GetActiveCamera();
    camera->ParallelProjectionOn();
    const std::array centre{look.extent[0] / 2, look.extent[1] / 2, look.extent[2] / 2};
    camera->SetFocalPoint(centre.data());
    camera->SetPosition(centre[0] + look.from[0], centre[1] + look.from[1], centre[2] + look.from[2]);
    camera->SetViewUp(0, 0, 1);
    camera->OrthogonalizeViewUp();
    // Half extents of the box seen from there: it is symmetric about the focal point.
    std::array<double, 3> forward{}, up{};
    camera->GetDirectionOfProjection(forward.data());
    camera->GetViewUp(up.data());
    const std::array<double, 3> right{forward[1] * up[2] - forward[2] * up[1], forward[2] * up[0] - forward[0] * up[2],
                                      forward[0] * up[1] - forward[1] * up[0]};
    double across = 0, upwards = 0;
    for (std::size_t i = 0; i < 3; ++i) {
        across += std::abs(right[i]) * centre[i];
        upwards += std::abs(up[i]) * centre[i];
    }
    const double margin = axes->margin();
    const double top = margin / 4; // no texts there
    const double width = std::max(size.width() * edge - 2 * margin, 20.0), height = std::max(size.height() - margin - top, 20.0);
    camera->SetWindowCenter(0, -(margin - top) / std::max(size.height(), 1)); // half the difference, in halves of the height
    // World units a pixel, then half the whole viewport's height in them.
    camera->SetParallelScale(std::max(2 * across / width, 2 * upwards / height) * size.height() / 2);
    scene->ResetCameraClippingRange(0, look.extent[0], 0, look.extent[1], 0, look.extent[2]);
    fittedScale = camera->GetParallelScale();
    std::copy_n(camera->GetPosition(), 3, fittedPosition.begin());
}

void BoxScene::resetCamera()
{
    m_parts->fit();
    scheduleRender();
}

void BoxScene::pickFrom(vtkProp* prop, double tolerance)
{
    m_parts->picker->SetTolerance(tolerance);
    m_parts->picker->InitializePickList();
    m_parts->picker->AddPickList(prop);
}

vtkCellPicker* BoxScene::pick(const QPointF& position) const
{
    Parts& p = *m_parts;
    const double ratio = p.widget.devicePixelRatioF();
    const double y = p.widget.renderWindow()->GetSize()[1] - 1 - position.y() * ratio;
    return p.picker->Pick(position.x() * ratio, y, 0, p.scene) == 0 ? nullptr : p.picker.Get();
}

QPointF BoxScene::toPixel(const std::array<double, 3>& point) const
{
    Parts& p = *m_parts;
    p.scene->SetWorldPoint(point[0], point[1], point[2], 1);
    p.scene->WorldToDisplay();
    const double* display = p.scene->GetDisplayPoint();
    const double ratio = p.widget.devicePixelRatioF();
    return {display[0] / ratio, (p.widget.renderWindow()->GetSize()[1] - 1 - display[1]) / ratio};
}

} // namespace tamis::views
