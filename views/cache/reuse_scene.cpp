// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/cache/reuse_scene.h"

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
// The box in scene units: x time, y distance, z requests.
constexpr double kWidth = 1.6, kDepth = 1.2, kHeight = 0.45;
constexpr vtkIdType kFaces = 6; ///< cells a bar
constexpr int kTimeTicks = 4, kHeightTicks = 3;

/// From above the front, where small distances are.
constexpr BoxLook kLook{.extent = {kWidth, kDepth, kHeight}, .from = {-0.9, -2.2, 2.3}, .strip = 74};

QString words(const char* text) { return QCoreApplication::translate("ReuseScene", text); }
} // namespace

struct ReuseScene::Parts {
    explicit Parts(VtkWidget& widget) : scene(widget, kLook) {}
    double columnWidth() const { return kWidth / std::max(trace.columns, 1); }
    double binDepth() const { return kDepth / std::max(trace.distanceBins, 1); }
    double heightOf(double count) const { return count / most * kHeight; }
    void fillBars();
    void fillPlane();
    void labelAxes();

    BoxScene scene;
    report::TraceReport trace;
    std::vector<std::pair<int, int>> bars; ///< column, bin
    double most = 1;
    std::optional<double> plane;

    vtkNew<vtkPolyData> boxes, sheet;
    vtkNew<vtkPolyDataMapper> boxMapper, sheetMapper;
    vtkNew<vtkActor> boxActor, sheetActor;
};

void ReuseScene::Parts::fillBars()
{
    vtkNew<vtkPoints> points;
    vtkNew<vtkCellArray> faces;
    vtkNew<vtkDoubleArray> values;
    bars.clear();
    const double w = columnWidth(), d = binDepth();
    for (int column = 0; column < trace.columns; ++column)
        for (int bin = 0; bin < trace.distanceBins; ++bin) {
            const auto count = static_cast<double>(trace.counts[static_cast<std::size_t>(column) * static_cast<std::size_t>(trace.distanceBins) + static_cast<std::size_t>(bin)]);
            if (count <= 0)
                continue;
            bars.emplace_back(column, bin);
            const std::array<double, 6> box{column * w, (column + 1) * w, bin * d, (bin + 1) * d, 0, heightOf(count)};
            const vtkIdType first = points->GetNumberOfPoints();
            for (std::size_t corner = 0; corner < 8; ++corner)
                points->InsertNextPoint(box[corner & 1], box[2 + ((corner >> 1) & 1)], box[4 + (corner >> 2)]);
            constexpr vtkIdType kCorners[kFaces][4] = {{0, 2, 3, 1}, {4, 5, 7, 6}, {0, 1, 5, 4}, {2, 6, 7, 3}, {0, 4, 6, 2}, {1, 3, 7, 5}};
            for (const auto& face : kCorners) {
                faces->InsertNextCell({first + face[0], first + face[1], first + face[2], first + face[3]});
                values->InsertNextValue(count);
            }
        }
    boxes->SetPoints(points);
    boxes->SetPolys(faces);
    boxes->GetCellData()->SetScalars(values);
    boxes->Modified();
}

void ReuseScene::Parts::fillPlane()
{
    sheetActor->SetVisibility(plane && !bars.empty());
    if (!plane)
        return;
    const double y = std::clamp(*plane * binDepth(), 0.0, kDepth);
    vtkNew<vtkPoints> points;
    for (const auto& [x, z] : {std::pair{0.0, 0.0}, std::pair{kWidth, 0.0}, std::pair{kWidth, kHeight}, std::pair{0.0, kHeight}})
        points->InsertNextPoint(x, y, z);
    vtkNew<vtkCellArray> face;
    face->InsertNextCell({0, 1, 2, 3});
    sheet->SetPoints(points);
    sheet->SetPolys(face);
    sheet->Modified();
}

void ReuseScene::Parts::labelAxes()
{
    std::vector<AxisTick> times, distances, heights;
    const double requests = static_cast<double>(trace.requestsPerColumn) * trace.columns;
    for (int i = 0; i <= kTimeTicks; ++i)
        times.push_back({.at = static_cast<double>(i) / kTimeTicks, .label = formatCount(std::round(requests * i / kTimeTicks))});
    for (int bin = 0; bin <= trace.distanceBins; ++bin)
        distances.push_back({.at = static_cast<double>(bin) / std::max(trace.distanceBins, 1), .label = formatCount(std::exp2(bin))});
    for (int i = 0; i < kHeightTicks; ++i)
        heights.push_back({.at = static_cast<double>(i) / (kHeightTicks - 1), .label = formatCount(most * i / (kHeightTicks - 1))});
    scene.axes().setAxis(0, words("request"), times);
    scene.axes().setAxis(1, words("reuse distance, objects"), distances);
    scene.axes().setAxis(2, words("requests"), heights);
    scene.bar()->SetNumberOfLabels(kHeightTicks);
    scene.bar()->SetLabelFormat("%.0f");
    scene.bar()->SetTitle(words("requests").toUtf8().constData());
}

ReuseScene::ReuseScene(VtkWidget& widget) : m_parts(std::make_unique<Parts>(widget))
{
    Parts& p = *m_parts;
    p.boxMapper->SetInputData(p.boxes);
    p.boxMapper->SetLookupTable(p.scene.colours());
    p.boxMapper->SetScalarModeToUseCellData();
    p.boxActor->SetMapper(p.boxMapper);
    p.boxActor->GetProperty()->SetAmbient(0.5);
    p.boxActor->GetProperty()->SetDiffuse(0.55);
    p.boxActor->GetProperty()->SetInterpolationToFlat();
    p.sheetMapper->SetInputData(p.sheet);
    p.sheetActor->SetMapper(p.sheetMapper);
    p.sheetActor->GetProperty()->LightingOff();
    p.sheetActor->GetProperty()->SetOpacity(0.45);
    p.sheetActor->GetProperty()->EdgeVisibilityOn();
    p.sheetActor->PickableOff();
    p.scene.add(p.boxActor);
    p.scene.add(p.sheetActor);
    p.scene.pickFrom(p.boxActor, 0.001);
    setSize(QSize(640, 480), 1);
    show(nullptr);
}

ReuseScene::~ReuseScene() = default;

void ReuseScene::setSize(const QSize& devicePixels, double ratio)
{
    m_parts->scene.setSize(devicePixels, ratio);
    m_parts->sheetActor->GetProperty()->SetLineWidth(static_cast<float>(2 * ratio));
}

void ReuseScene::show(const report::TraceReport* trace)
{
    Parts& p = *m_parts;
    p.trace = trace ? *trace : report::TraceReport();
    if (p.trace.columns <= 0 || p.trace.distanceBins <= 0 || p.trace.counts.size() != static_cast<std::size_t>(p.trace.columns) * static_cast<std::size_t>(p.trace.distanceBins))
        p.trace.columns = p.trace.distanceBins = 0;
    p.most = 1;
    if (p.trace.columns > 0)
        p.most = std::max(1.0, static_cast<double>(*std::ranges::max_element(p.trace.counts)));
    p.scene.paint();
    p.sheetActor->GetProperty()->SetColor(rgb(Ink::Accent).data());
    p.sheetActor->GetProperty()->SetEdgeColor(rgb(Ink::Accent).data());
    p.fillBars();
    const bool any = !p.bars.empty();
    p.boxActor->SetVisibility(any);
    p.scene.setVisible(any);
    p.fillPlane();
    if (any) {
        p.labelAxes();
        p.scene.colours()->SetTableRange(0, p.most);
        p.boxMapper->SetScalarRange(0, p.most);
    }
    p.scene.scheduleRender();
}

void ReuseScene::setPlane(std::optional<double> bins)
{
    m_parts->plane = bins;
    m_parts->fillPlane();
    m_parts->scene.scheduleRender();
}

std::optional<double> ReuseScene::planeAt() const
{
    if (!m_parts->sheetActor->GetVisibility())
        return {};
    double at[3];
    m_parts->sheet->GetPoint(0, at);
    return at[1] / kDepth;
}

void ReuseScene::resetCamera() { m_parts->scene.resetCamera(); }

std::optional<std::pair<int, int>> ReuseScene::cellAt(const QPointF& position) const
{
    const Parts& p = *m_parts;
    vtkCellPicker* picked = p.bars.empty() ? nullptr : p.scene.pick(position);
    if (!picked || picked->GetCellId() < 0)
        return {};
    const auto index = static_cast<std::size_t>(picked->GetCellId() / kFaces);
    return index < p.bars.size() ? std::optional(p.bars[index]) : std::nullopt;
}

QPointF ReuseScene::toPixel(int column, int bin) const
{
    const Parts& p = *m_parts;
    if (column < 0 || column >= p.trace.columns || bin < 0 || bin >= p.trace.distanceBins)
        return {};
    const auto count = static_cast<double>(p.trace.counts[static_cast<std::size_t>(column) * static_cast<std::size_t>(p.trace.distanceBins) + static_cast<std::size_t>(bin)]);
    return p.scene.toPixel({(column + 0.5) * p.columnWidth(), (bin + 0.5) * p.binDepth(), p.heightOf(count)});
}

} // namespace tamis::views
