// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/lowrank/head_error_scene.h"

#include "views/common/number_format.h"
#include "views/common/theme.h"
#include "views/spectrum/landscape_axes.h"
#include "views/vtk/vtk_widget.h"

#include <QCoreApplication>

#include <vtkActor.h>
#include <vtkCamera.h>
#include <vtkCellArray.h>
#include <vtkCellData.h>
#include <vtkCellPicker.h>
#include <vtkDoubleArray.h>
#include <vtkGenericOpenGLRenderWindow.h>
#include <vtkInteractorStyleTrackballCamera.h>
#include <vtkLookupTable.h>
#include <vtkNew.h>
#include <vtkObjectFactory.h>
#include <vtkPoints.h>
#include <vtkPolyData.h>
#include <vtkPolyDataMapper.h>
#include <vtkProperty.h>
#include <vtkRenderer.h>
#include <vtkScalarBarActor.h>
#include <vtkTextProperty.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace tamis::views {
namespace {
// The box that the bars fill, in scene units: x layers, y heads, z error.
constexpr double kWidth = 1.5, kDepth = 1.2, kHeight = 0.5;
constexpr double kFill = 0.82;    ///< of a cell's side
constexpr double kStrip = 78;     ///< of the colour bar, logical pixels
constexpr double kTextSize = 11;  ///< logical pixels
constexpr double kThinnest = 0.004;
constexpr vtkIdType kFaces = 6;   ///< cells a bar
constexpr int kHeightLabels = 5;

/// Rotates, pans and zooms; without the single-letter commands of VTK's styles.
class HeadTrackball : public vtkInteractorStyleTrackballCamera {
public:
    static HeadTrackball* New();
    vtkTypeMacro(HeadTrackball, vtkInteractorStyleTrackballCamera)
    void OnChar() override {}
};
vtkStandardNewMacro(HeadTrackball);

std::array<double, 3> rgb(Ink ink)
{
    const QColor color = Theme::instance().color(ink);
    return {color.redF(), color.greenF(), color.blueF()};
}

QString words(const char* text) { return QCoreApplication::translate("HeadErrorScene", text); }

std::vector<LandscapeTick> cellTicks(int count)
{
    std::vector<LandscapeTick> ticks;
    for (int i = 0; i < count; ++i)
        ticks.push_back({.at = (i + 0.5) / count, .label = QString::number(i)});
    return ticks;
}
} // namespace

struct HeadErrorScene::Parts {
    explicit Parts(VtkWidget& host) : widget(host) {}
    std::array<double, 6> boxOf(const HeadBar& one) const ///< x, y, z from and to
    {
        const double w = kWidth / std::max(layers, 1), d = kDepth / std::max(heads, 1);
        const double x = (one.layer + 0.5) * w, y = (one.head + 0.5) * d;
        return {x - kFill * w / 2, x + kFill * w / 2, y - kFill * d / 2, y + kFill * d / 2, 0,
                std::max(std::clamp(one.value / most, 0.0, 1.0) * kHeight, kThinnest)};
    }
    void fillBars();
    void fillOutline(std::optional<std::pair<int, int>> chosen);
    void labelAxes(const QString& title);
    void paint();
    void fit();
    bool untouched() const;

    VtkWidget& widget;
    std::vector<HeadBar> bars; ///< those with a value
    int layers = 0, heads = 0;
    double most = 1;

    vtkRenderer* scene = nullptr; ///< owned by the window
    vtkRenderer* strip = nullptr;
    vtkNew<HeadTrackball> interaction;
    vtkNew<vtkPolyData> boxes, outline;
    vtkNew<vtkPolyDataMapper> boxMapper, outlineMapper;
    vtkNew<vtkActor> boxActor, outlineActor;
    vtkNew<vtkLookupTable> colours;
    vtkNew<vtkScalarBarActor> bar;
    vtkNew<vtkCellPicker> picker;
    std::unique_ptr<LandscapeAxes> axes;
    QSize size{640, 480}; ///< of the window, device pixels
    double edge = 1, ratio = 1, fittedScale = 0;
    std::array<double, 3> fittedPosition{};
};

void HeadErrorScene::Parts::fillBars()
{
    vtkNew<vtkPoints> points;
    vtkNew<vtkCellArray> faces;
    vtkNew<vtkDoubleArray> values;
    for (const HeadBar& one : bars) {
        const auto box = boxOf(one);
        const vtkIdType first = points->GetNumberOfPoints();
        for (std::size_t corner = 0; corner < 8; ++corner)
            points->InsertNextPoint(box[corner & 1], box[2 + ((corner >> 1) & 1)], box[4 + (corner >> 2)]);
        constexpr vtkIdType kCorners[kFaces][4] = {{0, 2, 3, 1}, {4, 5, 7, 6}, {0, 1, 5, 4}, {2, 6, 7, 3}, {0, 4, 6, 2}, {1, 3, 7, 5}};
        for (const auto& face : kCorners) {
            faces->InsertNextCell({first + face[0], first + face[1], first + face[2], first + face[3]});
            values->InsertNextValue(one.value);
        }
    }
    boxes->SetPoints(points);
    boxes->SetPolys(faces);
    boxes->GetCellData()->SetScalars(values);
    boxes->Modified();
}

void HeadErrorScene::Parts::fillOutline(std::optional<std::pair<int, int>> chosen)
{
    vtkNew<vtkPoints> points;
    vtkNew<vtkCellArray> lines;
    const auto at = std::ranges::find_if(bars, [&](const HeadBar& one) { return chosen && one.layer == chosen->first && one.head == chosen->second; });
    if (at != bars.end()) {
        const auto box = boxOf(*at);
        constexpr double kOut = 0.006;
        for (std::size_t corner = 0; corner < 8; ++corner)
            points->InsertNextPoint(box[corner & 1] + (corner & 1 ? kOut : -kOut), box[2 + ((corner >> 1) & 1)] + (corner & 2 ? kOut : -kOut),
                                    box[4 + (corner >> 2)] + (corner & 4 ? kOut : 0));
        constexpr vtkIdType kEdges[12][2] = {{0, 1}, {2, 3}, {4, 5}, {6, 7}, {0, 2}, {1, 3}, {4, 6}, {5, 7}, {0, 4}, {1, 5}, {2, 6}, {3, 7}};
        for (const auto& e : kEdges)
            lines->InsertNextCell({e[0], e[1]});
    }
    outline->SetPoints(points);
    outline->SetLines(lines);
    outline->Modified();
    outlineActor->SetVisibility(at != bars.end());
}

void HeadErrorScene::Parts::labelAxes(const QString& title)
{
    axes->setAxis(0, words("layer"), cellTicks(layers));
    axes->setAxis(1, words("head"), cellTicks(heads));
    std::vector<LandscapeTick> heights;
    for (int i = 0; i < kHeightLabels; ++i)
        heights.push_back({.at = static_cast<double>(i) / (kHeightLabels - 1), .label = i == 0 ? QStringLiteral("0") : formatNumber(most * i / (kHeightLabels - 1), 2)});
    axes->setAxis(2, title, heights);
    bar->SetNumberOfLabels(kHeightLabels);
    bar->SetLabelFormat(most < 1e-3 ? "%.1e" : most < 1e-2 ? "%.4f" : most < 10 ? "%.3f" : "%.0f");
    bar->SetTitle(title.toUtf8().constData());
}

void HeadErrorScene::Parts::paint()
{
    const Theme& theme = Theme::instance();
    const auto text = rgb(Ink::Text), muted = rgb(Ink::MutedText), panel = rgb(Ink::Panel), edgeColour = rgb(Ink::Loss);
    scene->SetBackground(panel.data());
    strip->SetBackground(panel.data());
    const auto prepare = [](vtkTextProperty* property, const std::array<double, 3>& colour) {
        property->SetColor(colour[0], colour[1], colour[2]);
        property->SetFontFamilyToArial();
        property->BoldOff();
        property->ItalicOff();
        property->ShadowOff();
    };
    prepare(bar->GetTitleTextProperty(), text);
    prepare(bar->GetLabelTextProperty(), muted);
    axes->setColours(theme.color(Ink::Text), theme.color(Ink::MutedText), theme.color(Ink::Border));
    outlineActor->GetProperty()->SetColor(edgeColour[0], edgeColour[1], edgeColour[2]);
}

HeadErrorScene::HeadErrorScene(VtkWidget& widget) : m_parts(std::make_unique<Parts>(widget))
{
    Parts& p = *m_parts;
    p.scene = widget.addRenderer();
    p.strip = widget.addRenderer();
    p.strip->InteractiveOff();
    widget.setInteractorStyle(p.interaction);
    p.interaction->SetDefaultRenderer(p.scene);
    p.colours->SetNumberOfTableValues(256);
    for (int i = 0; i < 256; ++i) {
        const auto c = Theme::viridis(i / 255.0);
        p.colours->SetTableValue(i, c[0], c[1], c[2]);
    }
    p.boxMapper->SetInputData(p.boxes);
    p.boxMapper->SetLookupTable(p.colours);
    p.boxMapper->SetScalarModeToUseCellData();
    p.boxActor->SetMapper(p.boxMapper);
    p.boxActor->GetProperty()->SetAmbient(0.5);
    p.boxActor->GetProperty()->SetDiffuse(0.55);
    p.boxActor->GetProperty()->SetInterpolationToFlat();
    p.outlineMapper->SetInputData(p.outline);
    p.outlineActor->SetMapper(p.outlineMapper);
    p.outlineActor->GetProperty()->LightingOff();
    p.outlineActor->PickableOff();
    p.axes = std::make_unique<LandscapeAxes>(*p.scene, std::array{kWidth, kDepth, kHeight});
    p.bar->SetLookupTable(p.colours);
    p.bar->UnconstrainedFontSizeOn();
    p.bar->SetMaximumNumberOfColors(256);
    p.bar->SetPosition(0.05, 0.08);
    p.bar->SetWidth(0.9);
    p.bar->SetHeight(0.84);
    p.bar->SetBarRatio(0.22);
    p.bar->SetTextPositionToSucceedScalarBar();
    p.scene->AddViewProp(p.boxActor);
    p.scene->AddViewProp(p.outlineActor);
    p.strip->AddViewProp(p.bar);
    p.picker->SetTolerance(0.001);
    p.picker->AddPickList(p.boxActor);
    p.picker->PickFromListOn();
    setSize(QSize(640, 480), 1);
    show({}, {}, 1, {});
}

HeadErrorScene::~HeadErrorScene() = default;

void HeadErrorScene::setSize(const QSize& devicePixels, double ratio)
{
    Parts& p = *m_parts;
    const bool follow = p.fittedScale == 0 || p.untouched();
    p.size = devicePixels;
    p.ratio = ratio;
    p.edge = std::clamp(1 - kStrip * ratio / std::max(devicePixels.width(), 1), 0.5, 1.0);
    p.scene->SetViewport(0, 0, p.edge, 1);
    p.strip->SetViewport(p.edge, 0, 1, 1);
    p.axes->setTextSize(kTextSize, ratio);
    p.bar->GetLabelTextProperty()->SetFontSize(static_cast<int>(kTextSize)); // the window's DPI scales it
    p.bar->GetTitleTextProperty()->SetFontSize(static_cast<int>(kTextSize)); // the window's DPI scales it
    p.bar->SetTextPad(static_cast<int>(4 * ratio));
    p.bar->SetVerticalTitleSeparation(static_cast<int>(8 * ratio));
    p.outlineActor->GetProperty()->SetLineWidth(static_cast<float>(2.5 * ratio));
    if (follow)
        p.fit();
}

void HeadErrorScene::show(const std::vector<HeadBar>& bars, const QString& valueTitle, double most, std::optional<std::pair<int, int>> chosen)
{
    Parts& p = *m_parts;
    p.bars.clear();
    p.layers = p.heads = 0;
    p.most = most > 0 && std::isfinite(most) ? most : 1;
    for (const HeadBar& one : bars) {
        p.layers = std::max(p.layers, one.layer + 1);
        p.heads = std::max(p.heads, one.head + 1);
        if (std::isfinite(one.value))
            p.bars.push_back(one);
    }
    p.paint();
    const bool any = !p.bars.empty();
    p.boxActor->SetVisibility(any);
    p.bar->SetVisibility(any);
    p.axes->setVisible(any);
    p.fillOutline(chosen);
    if (any) {
        p.fillBars();
        p.labelAxes(valueTitle);
        p.colours->SetTableRange(0, p.most);
        p.boxMapper->SetScalarRange(0, p.most);
    }
    p.widget.scheduleRender();
}

bool HeadErrorScene::Parts::untouched() const
{
    auto* camera = scene->GetActiveCamera();
    return camera->GetParallelScale() == fittedScale && std::equal(fittedPosition.begin(), fittedPosition.end(), camera->GetPosition());
}

/// Parallel projection from above the front; the box and its texts fill the viewport.
void HeadErrorScene::Parts::fit()
{
    auto* camera = scene->GetActiveCamera();
    camera->ParallelProjectionOn();
    constexpr std::array centre{kWidth / 2, kDepth / 2, kHeight / 2};
    camera->SetFocalPoint(centre.data());
    camera->SetPosition(centre[0] - 1.3, centre[1] - 2.6, centre[2] + 2.9);
    camera->SetViewUp(0, 0, 1);
    camera->OrthogonalizeViewUp();
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
    const double margin = axes->margin(), top = margin / 4; // no texts there
    const double width = std::max(size.width() * edge - 2 * margin, 20.0), height = std::max(size.height() - margin - top, 20.0);
    camera->SetWindowCenter(0, -(margin - top) / std::max(size.height(), 1));
    camera->SetParallelScale(std::max(2 * across / width, 2 * upwards / height) * size.height() / 2);
    scene->ResetCameraClippingRange(0, kWidth, 0, kDepth, 0, kHeight);
    fittedScale = camera->GetParallelScale();
    std::copy_n(camera->GetPosition(), 3, fittedPosition.begin());
}

void HeadErrorScene::resetCamera()
{
    m_parts->fit();
    m_parts->widget.scheduleRender();
}

std::optional<std::pair<int, int>> HeadErrorScene::headAt(const QPointF& position) const
{
    Parts& p = *m_parts;
    const double ratio = p.widget.devicePixelRatioF();
    const double y = p.widget.renderWindow()->GetSize()[1] - 1 - position.y() * ratio;
    if (p.bars.empty() || p.picker->Pick(position.x() * ratio, y, 0, p.scene) == 0 || p.picker->GetCellId() < 0)
        return std::nullopt;
    const auto index = static_cast<std::size_t>(p.picker->GetCellId() / kFaces);
    if (index >= p.bars.size())
        return std::nullopt;
    return std::pair{p.bars[index].layer, p.bars[index].head};
}

QPointF HeadErrorScene::toPixel(int layer, int head) const
{
    Parts& p = *m_parts;
    const auto at = std::ranges::find_if(p.bars, [&](const HeadBar& one) { return one.layer == layer && one.head == head; });
    if (at == p.bars.end())
        return {};
    const auto box = p.boxOf(*at);
    p.scene->SetWorldPoint((box[0] + box[1]) / 2, (box[2] + box[3]) / 2, box[5], 1);
    p.scene->WorldToDisplay();
    const double* display = p.scene->GetDisplayPoint();
    const double ratio = p.widget.devicePixelRatioF();
    return {display[0] / ratio, (p.widget.renderWindow()->GetSize()[1] - 1 - display[1]) / ratio};
}

} // namespace tamis::views
