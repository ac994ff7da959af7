// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/lowrank/head_error_scene.h"

#include "views/common/number_format.h"
#include "views/vtk/box_axes.h"
#include "views/vtk/box_scene.h"

#include <QCoreApplication>

#include <vtkActor.h>
#include <vtkCellArray.h>
#include <vtkCellData.h>
#include <vtkCellPicker.h>
#include <vtkDoubleArray.h>
#include <vtkLookupTable.h>
#include <vtkNew.h>
#include <vtkPoints.h>
#include <vtkPolyData.h>
#include <vtkPolyDataMapper.h>
#include <vtkProperty.h>
#include <vtkScalarBarActor.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace tamis::views {
namespace {
// The box that the bars fill, in scene units: x layers, y heads, z error.
constexpr double kWidth = 1.5, kDepth = 1.2, kHeight = 0.5;
constexpr double kFill = 0.82; ///< of a cell's side
constexpr double kThinnest = 0.004;
constexpr vtkIdType kFaces = 6; ///< cells a bar
constexpr int kHeightLabels = 5;

/// From above the front.
constexpr BoxLook kLook{.extent = {kWidth, kDepth, kHeight}, .from = {-1.3, -2.6, 2.9}, .strip = 78};

QString words(const char* text) { return QCoreApplication::translate("HeadErrorScene", text); }

std::vector<AxisTick> cellTicks(int count)
{
    std::vector<AxisTick> ticks;
    for (int i = 0; i < count; ++i)
        ticks.push_back({.at = (i + 0.5) / count, .label = QString::number(i)});
    return ticks;
}
} // namespace

struct HeadErrorScene::Parts {
    explicit Parts(VtkWidget& widget) : scene(widget, kLook) {}
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

    BoxScene scene;
    std::vector<HeadBar> bars; ///< those with a value
    int layers = 0, heads = 0;
    double most = 1;

    vtkNew<vtkPolyData> boxes, outline;
    vtkNew<vtkPolyDataMapper> boxMapper, outlineMapper;
    vtkNew<vtkActor> boxActor, outlineActor;
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
    scene.axes().setAxis(0, words("layer"), cellTicks(layers));
    scene.axes().setAxis(1, words("head"), cellTicks(heads));
    std::vector<AxisTick> heights;
    for (int i = 0; i < kHeightLabels; ++i)
        heights.push_back({.at = static_cast<double>(i) / (kHeightLabels - 1), .label = i == 0 ? QStringLiteral("0") : formatNumber(most * i / (kHeightLabels - 1), 2)});
    scene.axes().setAxis(2, title, heights);
    scene.bar()->SetNumberOfLabels(kHeightLabels);
    scene.bar()->SetLabelFormat(most < 1e-3 ? "%.1e" : most < 1e-2 ? "%.4f" : most < 10 ? "%.3f" : "%.0f");
    scene.bar()->SetTitle(title.toUtf8().constData());
}

void HeadErrorScene::Parts::paint()
{
    scene.paint();
    outlineActor->GetProperty()->SetColor(rgb(Ink::Loss).data());
}

HeadErrorScene::HeadErrorScene(VtkWidget& widget) : m_parts(std::make_unique<Parts>(widget))
{
    Parts& p = *m_parts;
    p.boxMapper->SetInputData(p.boxes);
    p.boxMapper->SetLookupTable(p.scene.colours());
    p.boxMapper->SetScalarModeToUseCellData();
    p.boxActor->SetMapper(p.boxMapper);
    p.boxActor->GetProperty()->SetAmbient(0.5);
    p.boxActor->GetProperty()->SetDiffuse(0.55);
    p.boxActor->GetProperty()->SetInterpolationToFlat();
    p.outlineMapper->SetInputData(p.outline);
    p.outlineActor->SetMapper(p.outlineMapper);
    p.outlineActor->GetProperty()->LightingOff();
    p.outlineActor->PickableOff();
    p.scene.add(p.boxActor);
    p.scene.add(p.outlineActor);
    p.scene.pickFrom(p.boxActor, 0.001);
    setSize(QSize(640, 480), 1);
    show({}, {}, 1, {});
}

HeadErrorScene::~HeadErrorScene() = default;

void HeadErrorScene::setSize(const QSize& devicePixels, double ratio)
{
    m_parts->scene.setSize(devicePixels, ratio);
    m_parts->outlineActor->GetProperty()->SetLineWidth(static_cast<float>(2.5 * ratio));
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
    p.scene.setVisible(any);
    p.fillOutline(chosen);
    if (any) {
        p.fillBars();
        p.labelAxes(valueTitle);
        p.scene.colours()->SetTableRange(0, p.most);
        p.boxMapper->SetScalarRange(0, p.most);
    }
    p.scene.scheduleRender();
}

void HeadErrorScene::resetCamera() { m_parts->scene.resetCamera(); }

std::optional<std::pair<int, int>> HeadErrorScene::headAt(const QPointF& position) const
{
    Parts& p = *m_parts;
    vtkCellPicker* picked = p.bars.empty() ? nullptr : p.scene.pick(position);
    if (!picked || picked->GetCellId() < 0)
        return std::nullopt;
    const auto index = static_cast<std::size_t>(picked->GetCellId() / kFaces);
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
    return p.scene.toPixel({(box[0] + box[1]) / 2, (box[2] + box[3]) / 2, box[5]});
}

} // namespace tamis::views
