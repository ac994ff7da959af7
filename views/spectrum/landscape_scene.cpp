// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/spectrum/landscape_scene.h"

#include "views/vtk/box_axes.h"
#include "views/vtk/box_scene.h"

#include <QCoreApplication>

#include <vtkActor.h>
#include <vtkCellArray.h>
#include <vtkCellPicker.h>
#include <vtkDoubleArray.h>
#include <vtkLookupTable.h>
#include <vtkNew.h>
#include <vtkPointData.h>
#include <vtkPoints.h>
#include <vtkPolyData.h>
#include <vtkPolyDataMapper.h>
#include <vtkPolyDataNormals.h>
#include <vtkProperty.h>
#include <vtkScalarBarActor.h>
#include <vtkTubeFilter.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace tamis::views {
namespace {
// The box that every landscape fills, in scene units: x layers, y indices, z heights.
constexpr double kWidth = 1.5, kDepth = 1.3, kHeight = 0.75;
constexpr double kRibbon = 0.4; ///< half width of a lone row, in layers
constexpr int kMostLabels = 9;

/// From the tail, so that the steep front lies behind.
constexpr BoxLook kLook{.extent = {kWidth, kDepth, kHeight}, .from = {-1.9, 3.0, 2.0}, .strip = 84};

QString words(const char* text) { return QCoreApplication::translate("LandscapeScene", text); }

/// `count` evenly spaced ticks.
template <class Text> std::vector<AxisTick> evenTicks(int count, Text text)
{
    std::vector<AxisTick> ticks;
    for (int i = 0; i < count; ++i)
        ticks.push_back({.at = count > 1 ? static_cast<double>(i) / (count - 1) : 0.5, .label = text(i)});
    return ticks;
}

/// Height axis from a multiple of `step` to another around the data.
struct HeightAxis {
    double low = -1, high = 0, step = 1;
    int labels() const { return static_cast<int>(std::lround((high - low) / step)) + 1; }
};

HeightAxis heightAxis(double low, double high)
{
    HeightAxis axis;
    const double span = std::max(high - low, 1e-3);
    axis.step = std::pow(10.0, std::floor(std::log10(span)));
    for (const double factor : {0.1, 0.2, 0.5, 1.0, 2.0})
        if (span / (axis.step * factor) <= kMostLabels - 3) {
            axis.step *= factor;
            break;
        }
    axis.low = std::floor(low / axis.step + 1e-9) * axis.step;
    axis.high = std::ceil(high / axis.step - 1e-9) * axis.step;
    if (axis.high <= axis.low)
        axis.high = axis.low + axis.step;
    return axis;
}
} // namespace

struct LandscapeScene::Parts {
    explicit Parts(VtkWidget& widget) : box(widget, kLook) {}

    double height(const report::LandscapeRow& row, std::size_t column) const
    {
        const double relative = (style.logarithmicIndex ? row.byIndex : row.height)[column];
        return style.relative ? relative : relative + row.top;
    }
    double sceneX(double layer) const { return (layer - firstX) / std::max(lastX - firstX, 1e-9) * kWidth; }
    double sceneY(std::size_t column) const
    {
        return (style.logarithmicIndex ? std::log2(role->indices[column]) / octaves : positions[column]) * kDepth;
    }
    double sceneZ(double value) const { return (value - axis.low) / (axis.high - axis.low) * kHeight; }
    void measure();
    void fillSurface();
    void addRow(const report::LandscapeRow& row, double x);
    void fillTube(int selectedLayer);
    void labelAxes();
    void paint();

    BoxScene box;
    const report::LandscapeRole* role = nullptr;
    std::vector<double> positions;
    LandscapeStyle style;
    std::vector<double> rowX; ///< [rows] layer, or the row's number where two rows are of one layer
    bool byLayer = true;
    double firstX = 0, lastX = 1, octaves = 1;
    HeightAxis axis;

    vtkNew<vtkPoints> points;
    vtkNew<vtkDoubleArray> heights;
    vtkNew<vtkPolyData> surface, ridges, highlight;
    vtkNew<vtkPolyDataNormals> normals;
    vtkNew<vtkPolyDataMapper> surfaceMapper, ridgeMapper, tubeMapper;
    vtkNew<vtkTubeFilter> tube;
    vtkNew<vtkActor> surfaceActor, ridgeActor, tubeActor;
};

void LandscapeScene::Parts::measure()
{
    rowX.clear();
    byLayer = true;
    for (std::size_t r = 1; r < role->rows.size(); ++r)
        byLayer = byLayer && role->rows[r].layer > role->rows[r - 1].layer;
    double low = INFINITY, high = -INFINITY;
    for (std::size_t r = 0; r < role->rows.size(); ++r) {
        const auto& row = role->rows[r];
        rowX.push_back(byLayer ? row.layer : static_cast<double>(r));
        for (std::size_t c = 0; c < row.height.size(); ++c)
            if (const double z = height(row, c); std::isfinite(z)) {
                low = std::min(low, z);
                high = std::max(high, z);
            }
    }
    firstX = rowX.front();
    lastX = rowX.back();
    if (rowX.size() == 1) {
        firstX -= kRibbon;
        lastX += kRibbon;
    }
    octaves = std::max(1.0, std::ceil(std::log2(std::max(role->largestRank, 2)) - 1e-9));
    axis = heightAxis(low, high);
}

void LandscapeScene::Parts::addRow(const report::LandscapeRow& row, double x)
{
    for (std::size_t c = 0; c < row.height.size(); ++c) {
        const double z = height(row, c);
        points->InsertNextPoint(sceneX(x), sceneY(c), std::isfinite(z) ? sceneZ(z) : 0);
        heights->InsertNextValue(z); // NaN: no cell touches it
    }
}

void LandscapeScene::Parts::fillSurface()
{
    points->Reset();
    heights->Reset();
    const auto& rows = role->rows;
    const bool lone = rows.size() == 1;
    for (std::size_t r = 0; r < rows.size(); ++r)
        if (lone) {
            addRow(rows[r], firstX);
            addRow(rows[r], lastX);
        } else {
            addRow(rows[r], rowX[r]);
        }
    const auto columns = static_cast<vtkIdType>(rows.front().height.size());
    const vtkIdType lines = points->GetNumberOfPoints() / columns;
    const auto known = [&](vtkIdType id) { return std::isfinite(heights->GetValue(id)); };
    vtkNew<vtkCellArray> quads, polylines;
    for (vtkIdType r = 0; r < lines; ++r) {
        vtkIdType length = 0;
        while (length < columns && known(r * columns + length))
            ++length;
        polylines->InsertNextCell(length);
        for (vtkIdType c = 0; c < length; ++c)
            polylines->InsertCellPoint(r * columns + c);
        for (vtkIdType c = 0; r + 1 < lines && c + 1 < columns; ++c) {
            const vtkIdType corners[4] = {r * columns + c, r * columns + c + 1, (r + 1) * columns + c + 1, (r + 1) * columns + c};
            if (std::all_of(corners, corners + 4, known))
                quads->InsertNextCell(4, corners);
        }
    }
    points->Modified();
    surface->SetPoints(points);
    surface->SetPolys(quads);
    surface->GetPointData()->SetScalars(heights);
    surface->Modified();
    ridges->SetPoints(points);
    ridges->SetLines(polylines);
    ridges->Modified();
}

void LandscapeScene::Parts::fillTube(int selectedLayer)
{
    vtkNew<vtkPoints> line;
    vtkNew<vtkCellArray> cells;
    for (std::size_t r = 0; r < role->rows.size(); ++r) {
        const auto& row = role->rows[r];
        if (row.layer != selectedLayer || selectedLayer < 0)
            continue;
        const vtkIdType first = line->GetNumberOfPoints();
        for (std::size_t c = 0; c < row.height.size(); ++c)
            if (const double z = height(row, c); std::isfinite(z))
                line->InsertNextPoint(sceneX(rowX[r]), sceneY(c), sceneZ(z) + 0.004);
        cells->InsertNextCell(line->GetNumberOfPoints() - first);
        for (vtkIdType id = first; id < line->GetNumberOfPoints(); ++id)
            cells->InsertCellPoint(id);
    }
    highlight->SetPoints(line);
    highlight->SetLines(cells);
    highlight->Modified();
    tubeActor->SetVisibility(line->GetNumberOfPoints() > 1);
}

void LandscapeScene::Parts::labelAxes()
{
    const int first = static_cast<int>(std::lround(rowX.front())), layers = static_cast<int>(std::lround(rowX.back())) - first + 1;
    const auto layer = [first](int i) { return QString::number(first + i); };
    auto ticks = evenTicks(layers, layer);
    if (rowX.size() == 1) // one label in the middle of the ribbon
        ticks = {{.at = 0, .label = {}}, {.at = 0.5, .label = layer(0)}, {.at = 1, .label = {}}};
    box.axes().setAxis(0, byLayer ? words("layer") : words("matrix"), ticks);
    if (style.logarithmicIndex)
        box.axes().setAxis(1, words("index"), evenTicks(static_cast<int>(octaves) + 1, [](int i) { return QString::number(1LL << i); }));
    else
        box.axes().setAxis(1, words("index, % of rank"), evenTicks(5, [](int i) { return QString::number(25 * i); }));
    const int decimals = axis.step < 0.1 ? 2 : axis.step < 1 ? 1 : 0;
    const auto height = [&](int i) {
        const double value = axis.low + i * axis.step;
        return QString::number(std::abs(value) < 1e-9 ? 0.0 : value, 'f', decimals);
    };
    box.axes().setAxis(2, style.relative ? words("log10 s/s1") : words("log10 s"), evenTicks(axis.labels(), height));
    box.bar()->SetNumberOfLabels(std::min(axis.labels(), kMostLabels));
    box.bar()->SetLabelFormat(decimals == 2 ? "%.2f" : decimals == 1 ? "%.1f" : "%.0f");
    box.bar()->SetTitle(style.relative ? "log10 s/s1" : "log10 s");
}

void LandscapeScene::Parts::paint()
{
    box.paint();
    tubeActor->GetProperty()->SetColor(rgb(Ink::Loss).data());
    ridgeActor->GetProperty()->SetColor(rgb(Ink::Text).data());
}

LandscapeScene::LandscapeScene(VtkWidget& widget) : m_parts(std::make_unique<Parts>(widget))
{
    Parts& p = *m_parts;
    p.normals->SetInputData(p.surface);
    p.normals->SplittingOff();
    p.surfaceMapper->SetInputConnection(p.normals->GetOutputPort());
    p.surfaceMapper->SetLookupTable(p.box.colours());
    p.surfaceMapper->InterpolateScalarsBeforeMappingOn();
    p.surfaceActor->SetMapper(p.surfaceMapper);
    p.surfaceActor->GetProperty()->SetAmbient(0.45);
    p.surfaceActor->GetProperty()->SetDiffuse(0.6);
    p.ridgeMapper->SetInputData(p.ridges);
    p.ridgeMapper->ScalarVisibilityOff();
    p.ridgeActor->SetPosition(0, 0, 0.004); // above the surface, not in it
    p.ridgeActor->SetMapper(p.ridgeMapper);
    p.ridgeActor->GetProperty()->SetOpacity(0.28);
    p.ridgeActor->GetProperty()->LightingOff();
    p.tube->SetInputData(p.highlight);
    p.tube->SetRadius(0.011);
    p.tube->SetNumberOfSides(10);
    p.tube->CappingOn();
    p.tubeMapper->SetInputConnection(p.tube->GetOutputPort());
    p.tubeMapper->ScalarVisibilityOff();
    p.tubeActor->SetMapper(p.tubeMapper);
    p.tubeActor->GetProperty()->SetAmbient(0.6);
    for (vtkActor* prop : {p.surfaceActor.Get(), p.ridgeActor.Get(), p.tubeActor.Get()})
        p.box.add(prop);
    p.box.pickFrom(p.surfaceActor, 0.002);
    setSize(QSize(640, 480), 1);
    show(nullptr, {}, {}, -1);
}

LandscapeScene::~LandscapeScene() = default;

void LandscapeScene::setSize(const QSize& devicePixels, double ratio)
{
    m_parts->box.setSize(devicePixels, ratio);
    m_parts->ridgeActor->GetProperty()->SetLineWidth(static_cast<float>(ratio));
}

void LandscapeScene::show(const report::LandscapeRole* role, const std::vector<double>& positions, LandscapeStyle style,
                          int selectedLayer)
{
    Parts& p = *m_parts;
    p.role = role && !role->rows.empty() && !role->rows.front().height.empty() ? role : nullptr;
    p.positions = positions;
    p.style = style;
    p.paint();
    for (vtkProp* prop : std::initializer_list<vtkProp*>{p.surfaceActor, p.ridgeActor, p.tubeActor})
        prop->SetVisibility(p.role != nullptr);
    p.box.setVisible(p.role != nullptr);
    if (p.role) {
        p.measure();
        p.fillSurface();
        p.fillTube(selectedLayer);
        p.labelAxes();
        p.box.colours()->SetTableRange(p.axis.low, p.axis.high);
        p.surfaceMapper->SetScalarRange(p.axis.low, p.axis.high);
    }
    p.box.scheduleRender();
}

void LandscapeScene::resetCamera() { m_parts->box.resetCamera(); }

std::optional<int> LandscapeScene::rowAt(const QPointF& position) const
{
    Parts& p = *m_parts;
    vtkCellPicker* picked = p.role ? p.box.pick(position) : nullptr;
    if (!picked)
        return {};
    const double x = picked->GetPickPosition()[0] / kWidth * (p.lastX - p.firstX) + p.firstX;
    const auto nearest = std::min_element(p.rowX.begin(), p.rowX.end(),
                                          [x](double a, double b) { return std::abs(a - x) < std::abs(b - x); });
    return static_cast<int>(nearest - p.rowX.begin());
}

QPointF LandscapeScene::toPixel(std::size_t row, std::size_t column) const
{
    Parts& p = *m_parts;
    if (!p.role || row >= p.role->rows.size() || column >= p.positions.size())
        return {};
    return p.box.toPixel({p.sceneX(p.rowX[row]), p.sceneY(column), p.sceneZ(p.height(p.role->rows[row], column))});
}

} // namespace tamis::views
