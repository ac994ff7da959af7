// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/vtk/box_axes.h"

#include <vtkActor.h>
#include <vtkCallbackCommand.h>
#include <vtkCamera.h>
#include <vtkCellArray.h>
#include <vtkCommand.h>
#include <vtkCoordinate.h>
#include <vtkNew.h>
#include <vtkPoints.h>
#include <vtkPolyData.h>
#include <vtkPolyDataMapper.h>
#include <vtkProperty.h>
#include <vtkRenderer.h>
#include <vtkSmartPointer.h>
#include <vtkTextActor.h>
#include <vtkTextProperty.h>

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
using Vector = std::array<double, 3>;

constexpr double kGlyphWidth = 0.6;  ///< mean advance over the text size
constexpr double kTickLength = 5;    ///< logical pixels from the box to a label
constexpr double kBetween = 7;       ///< at least, between two labels
constexpr double kTitleScale = 1.1;  ///< titles over labels

struct Flat {
    double x = 0, y = 0;
};
Flat operator-(Flat a, Flat b) { return {a.x - b.x, a.y - b.y}; }
double length(Flat a) { return std::hypot(a.x, a.y); }

struct Lines {
    Lines()
    {
        mapper->SetInputData(content);
        actor->SetMapper(mapper);
        actor->GetProperty()->LightingOff();
        actor->PickableOff();
    }
    void begin()
    {
        points = vtkSmartPointer<vtkPoints>::New();
        cells = vtkSmartPointer<vtkCellArray>::New();
    }
    void add(const Vector& a, const Vector& b)
    {
        const vtkIdType ends[2] = {points->InsertNextPoint(a.data()), points->InsertNextPoint(b.data())};
        cells->InsertNextCell(2, ends);
    }
    void end()
    {
        content->SetPoints(points);
        content->SetLines(cells);
    }
    vtkNew<vtkPolyData> content;
    vtkNew<vtkPolyDataMapper> mapper;
    vtkNew<vtkActor> actor;
    vtkSmartPointer<vtkPoints> points;
    vtkSmartPointer<vtkCellArray> cells;
};
} // namespace

struct BoxAxes::Parts {
    Parts(vtkRenderer& on, const Vector& box) : renderer(on), extent(box) {}

    struct Axis {
        QString title;
        std::vector<AxisTick> ticks;
        int every = 1; ///< ticks shown
    };

    Flat flat(const Vector& p) const
    {
        renderer.SetWorldPoint(p[0], p[1], p[2], 1);
        renderer.WorldToDisplay();
        return {renderer.GetDisplayPoint()[0], renderer.GetDisplayPoint()[1]};
    }
    Flat textSize(const QString& text, double scale) const
    {
        return {kGlyphWidth * size * scale * ratio * static_cast<double>(text.size()), size * scale * ratio};
    }
    void place();
    Vector edgeStart(int axis, const Vector& farSide) const;
    void placeAxis(int axis, const Vector& start, Flat centre);
    /// Centred at `at`, or as near to it as the viewport has room for; left out where it would touch a text that stands already.
    void write(const QString& text, Flat at, const QColor& colour, double scale);

    vtkRenderer& renderer;
    Vector extent;
    std::array<Axis, 3> axes;
    QColor titleColour, labelColour;
    double size = 11, ratio = 1;
    bool visible = false;
    Lines grid, edges;
    std::vector<vtkSmartPointer<vtkTextActor>> texts;
    std::size_t used = 0;
    std::vector<std::array<Flat, 2>> taken; ///< centres and sizes of the texts of this frame
    vtkNew<vtkCallbackCommand> observer;
    unsigned long observed = 0;
};

void BoxAxes::Parts::write(const QString& text, Flat at, const QColor& colour, double scale)
{
    const Flat extentOf = textSize(text, scale);
    const auto inside = [](double middle, double room, double first, double all) { return room >= all ? middle : std::clamp(middle, first + room / 2, first + all - room / 2); };
    at = {inside(at.x, extentOf.x, renderer.GetOrigin()[0], renderer.GetSize()[0]), inside(at.y, extentOf.y, renderer.GetOrigin()[1], renderer.GetSize()[1])};
    for (const auto& [centre, room] : taken)
        if (std::abs(centre.x - at.x) < (room.x + extentOf.x) / 2 + 2 * ratio && std::abs(centre.y - at.y) < (room.y + extentOf.y) / 2)
            return;
    taken.push_back({at, extentOf});
    if (used == texts.size()) {
        auto actor = vtkSmartPointer<vtkTextActor>::New();
        actor->SetTextScaleModeToNone();
        actor->GetPositionCoordinate()->SetCoordinateSystemToDisplay();
        actor->PickableOff();
        auto* property = actor->GetTextProperty();
        property->SetFontFamilyToArial();
        property->SetJustificationToCentered();
        property->SetVerticalJustificationToCentered();
        renderer.AddViewProp(actor);
        texts.push_back(actor);
    }
    auto& actor = texts[used++];
    actor->SetInput(text.toUtf8().constData());
    actor->GetTextProperty()->SetFontSize(static_cast<int>(std::lround(size * scale))); // VTK multiplies by the window's DPI / 72
    actor->GetTextProperty()->SetColor(colour.redF(), colour.greenF(), colour.blueF());
    actor->SetPosition(at.x, at.y);
    actor->VisibilityOn();
}

/// The edge of the box that carries the axis' labels: of the floor's two the nearer one; for heights the leftmost on screen.
Vector BoxAxes::Parts::edgeStart(int axis, const Vector& farSide) const
{
    const Vector nearSide{extent[0] - farSide[0], extent[1] - farSide[1], extent[2] - farSide[2]};
    if (axis == 0)
        return {0, nearSide[1], farSide[2]};
    if (axis == 1)
        return {nearSide[0], 0, farSide[2]};
    const Vector one{nearSide[0], farSide[1], 0}, other{farSide[0], nearSide[1], 0};
    return flat(one).x < flat(other).x ? one : other;
}

void BoxAxes::Parts::placeAxis(int axis, const Vector& start, Flat centre)
{
    Axis& shown = axes[static_cast<std::size_t>(axis)];
    Vector finish = start;
    finish[static_cast<std::size_t>(axis)] = extent[static_cast<std::size_t>(axis)];
    edges.add(start, finish);
    const Flat a = flat(start), b = flat(finish), along = b - a;
    const double pixels = length(along);
    shown.every = 0; // seen end-on: nothing to read
    if (pixels < 4 * size * ratio || shown.ticks.size() < 2)
        return;
    const Flat unit{along.x / pixels, along.y / pixels};
    const Flat middle{(a.x + b.x) / 2, (a.y + b.y) / 2};
    Flat out{-unit.y, unit.x};
    if (out.x * (middle.x - centre.x) + out.y * (middle.y - centre.y) < 0)
        out = {-out.x, -out.y};
    Flat widest;
    for (const auto& tick : shown.ticks)
        if (const Flat extentOf = textSize(tick.label, 1); extentOf.x >= widest.x)
            widest = extentOf;
    const double step = pixels * (shown.ticks[1].at - shown.ticks[0].at);
    // Two boxes side by side are apart as soon as they are apart in x or in y.
    const double need = std::min(std::abs(unit.x) > 1e-6 ? (widest.x + kBetween * ratio) / std::abs(unit.x) : INFINITY,
                                 std::abs(unit.y) > 1e-6 ? (widest.y + kBetween * ratio) / std::abs(unit.y) : INFINITY);
    for (const int every : {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000})
        if (shown.every == 0 && (every * step >= need || static_cast<std::size_t>(every) >= shown.ticks.size()))
            shown.every = every;
    const auto outside = [&](Flat extentOf) { return std::abs(out.x) * extentOf.x / 2 + std::abs(out.y) * extentOf.y / 2; };
    for (std::size_t i = 0; i < shown.ticks.size(); i += static_cast<std::size_t>(std::max(shown.every, 1))) {
        const auto& tick = shown.ticks[i];
        const double away = kTickLength * ratio + outside(textSize(tick.label, 1));
        write(tick.label, {a.x + tick.at * along.x + away * out.x, a.y + tick.at * along.y + away * out.y}, labelColour, 1);
    }
    if (axis == 2) { // upright: above its end, where it needs no room beside the box
        const Flat& end = a.y > b.y ? a : b;
        write(shown.title, {end.x, end.y + 1.5 * size * ratio}, titleColour, kTitleScale);
        return;
    }
    const double away = 3 * kTickLength * ratio + 2 * outside(widest) + outside(textSize(shown.title, kTitleScale));
    write(shown.title, {middle.x + away * out.x, middle.y + away * out.y}, titleColour, kTitleScale);
}

void BoxAxes::Parts::place()
{
    used = 0;
    taken.clear();
    if (visible) {
        Vector view{};
        renderer.GetActiveCamera()->GetDirectionOfProjection(view.data());
        Vector farSide{};
        for (std::size_t i = 0; i < 3; ++i)
            farSide[i] = view[i] > 0 ? extent[i] : 0;
        grid.begin();
        edges.begin();
        const Flat centre = flat({extent[0] / 2, extent[1] / 2, extent[2] / 2});
        for (int axis = 0; axis < 3; ++axis)
            placeAxis(axis, edgeStart(axis, farSide), centre);
        for (std::size_t axis = 0; axis < 3; ++axis) {
            const auto& shown = axes[axis];
            const auto line = [&](double at) { // on the two far faces that contain this axis' direction
                for (std::size_t other = 0; other < 3; ++other)
                    if (other != axis) {
                        Vector from = farSide, to = farSide;
                        from[axis] = to[axis] = at * extent[axis];
                        from[other] = 0;
                        to[other] = extent[other];
                        grid.add(from, to);
                    }
            };
            line(0);
            line(1);
            for (std::size_t i = 0; shown.every > 0 && i < shown.ticks.size(); i += static_cast<std::size_t>(shown.every))
                line(shown.ticks[i].at);
        }
        grid.end();
        edges.end();
    }
    grid.actor->SetVisibility(visible);
    edges.actor->SetVisibility(visible);
    for (std::size_t i = used; i < texts.size(); ++i)
        texts[i]->VisibilityOff();
}

BoxAxes::BoxAxes(vtkRenderer& renderer, const std::array<double, 3>& extent)
    : m_parts(std::make_unique<Parts>(renderer, extent))
{
    Parts& p = *m_parts;
    renderer.AddViewProp(p.grid.actor);
    renderer.AddViewProp(p.edges.actor);
    p.observer->SetClientData(&p);
    p.observer->SetCallback([](vtkObject*, unsigned long, void* parts, void*) { static_cast<Parts*>(parts)->place(); });
    p.observed = renderer.AddObserver(vtkCommand::StartEvent, p.observer);
}

BoxAxes::~BoxAxes() { m_parts->renderer.RemoveObserver(m_parts->observed); }

void BoxAxes::setAxis(int axis, const QString& title, const std::vector<AxisTick>& ticks)
{
    m_parts->axes[static_cast<std::size_t>(axis)] = {.title = title, .ticks = ticks};
}

void BoxAxes::setColours(const QColor& title, const QColor& label, const QColor& grid)
{
    m_parts->titleColour = title;
    m_parts->labelColour = label;
    m_parts->grid.actor->GetProperty()->SetColor(grid.redF(), grid.greenF(), grid.blueF());
    m_parts->edges.actor->GetProperty()->SetColor(label.redF(), label.greenF(), label.blueF());
}

void BoxAxes::setTextSize(double logicalPixels, double ratio)
{
    m_parts->size = logicalPixels;
    m_parts->ratio = ratio;
    for (auto* lines : {&m_parts->grid, &m_parts->edges})
        lines->actor->GetProperty()->SetLineWidth(static_cast<float>(ratio));
}

void BoxAxes::setVisible(bool visible) { m_parts->visible = visible; }

double BoxAxes::margin() const { return 4.4 * m_parts->size * m_parts->ratio; }

} // namespace tamis::views
