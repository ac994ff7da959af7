// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/cache/reuse_distance_view.h"

#include "views/cache/reuse_scene.h"
#include "views/common/heat_map.h"
#include "views/common/icons.h"
#include "views/common/ink.h"
#include "views/common/number_format.h"
#include "views/vtk/vtk_widget.h"

#include <QAction>
#include <QHBoxLayout>
#include <QStackedLayout>
#include <QToolButton>
#include <QVBoxLayout>

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
constexpr int kPlaneDelayMs = 100;
} // namespace

struct ReuseDistanceView::Scene {
    explicit Scene(QWidget* parent) : widget(new VtkWidget(parent)), drawn(*widget) {}
    VtkWidget* widget; ///< owned by its parent
    ReuseScene drawn;
};

ReuseDistanceView::ReuseDistanceView(QWidget* parent) : QWidget(parent), m_flat(new HeatMap(this)), m_word(mutedLabel(this, QStringLiteral("reuseWord"))), m_form(new QToolButton(this))
{
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    auto* row = new QHBoxLayout;
    m_word->setFont(Theme::smallFont(font()));
    m_word->setWordWrap(true);
    m_form->setObjectName(QStringLiteral("reuseFlat"));
    m_form->setCheckable(true);
    m_form->setAutoRaise(true);
    m_form->setText(tr("Flat"));
    m_form->setToolTip(tr("A flat heat map instead of bars in space"));
    auto* reset = new QToolButton(this);
    reset->setObjectName(QStringLiteral("reuseReset"));
    reset->setIcon(themedIcon(QStringLiteral("zoom-reset")));
    reset->setAutoRaise(true);
    reset->setToolTip(tr("Reset the view (0)"));
    reset->setAccessibleName(tr("Reset the view"));
    row->addWidget(m_word, 1);
    row->addWidget(m_form);
    row->addWidget(reset);
    auto* holder = new QWidget(this);
    m_pages = new QStackedLayout(holder);
    column->addWidget(holder, 1);
    column->addLayout(row);
    m_flat->setObjectName(QStringLiteral("reuseFlatMap"));
    m_flat->setAccessibleName(tr("Reuse distances over time"));
    m_flat->setEmptyText(tr("How far apart requests of the same object are is shown here."));
    if (VtkWidget::available()) {
        m_scene = std::make_unique<Scene>(holder);
        VtkWidget* widget = m_scene->widget;
        widget->setObjectName(QStringLiteral("reuseScene"));
        widget->setAccessibleName(tr("Reuse distances over time as bars"));
        widget->setAccessibleDescription(tr("Time by distance; the plane is the size of the cursor. The flat map holds the same values."));
        widget->setToolTip(tr("Left: rotate. Middle, or Shift and left: pan. Wheel: zoom. 0: reset."));
        auto* key = new QAction(tr("Reset the view"), widget);
        key->setShortcut(QKeySequence(Qt::Key_0));
        key->setShortcutContext(Qt::WidgetShortcut);
        widget->addAction(key);
        connect(key, &QAction::triggered, this, &ReuseDistanceView::resetView);
        connect(widget, &VtkWidget::sizeChanged, this, [this](const QSize& size, double ratio) { m_scene->drawn.setSize(size, ratio); });
        m_pages->addWidget(widget);
    } else {
        m_form->hide();
        reset->hide();
    }
    m_pages->addWidget(m_flat);
    m_plane.setSingleShot(true);
    m_plane.setInterval(kPlaneDelayMs);
    connect(&m_plane, &QTimer::timeout, this, &ReuseDistanceView::placePlane);
    connect(m_form, &QToolButton::toggled, this, &ReuseDistanceView::rebuild);
    connect(reset, &QToolButton::clicked, this, &ReuseDistanceView::resetView);
    connect(&Theme::instance(), &Theme::changed, this, &ReuseDistanceView::rebuild);
    rebuild();
}

ReuseDistanceView::~ReuseDistanceView()
{
    if (m_scene) {
        disconnect(m_scene->widget, nullptr, this, nullptr);
        delete m_scene->widget; // releases its OpenGL objects while the scene's parts still exist
    }
}

void ReuseDistanceView::setTrace(std::shared_ptr<const report::TraceReport> trace)
{
    m_trace = std::move(trace);
    rebuild();
}

void ReuseDistanceView::setObjects(std::optional<double> objects)
{
    if (objects == m_objects)
        return;
    m_objects = objects;
    mark();
}

void ReuseDistanceView::rebuild()
{
    HeatGrid grid;
    if (m_trace && m_trace->columns > 0 && m_trace->distanceBins > 0) {
        grid.rows = m_trace->distanceBins;
        grid.columns = m_trace->columns;
        grid.values.assign(static_cast<std::size_t>(grid.rows) * static_cast<std::size_t>(grid.columns), 0);
        for (int column = 0; column < grid.columns; ++column) {
            grid.columnLabels << formatCount(static_cast<double>(m_trace->requestsPerColumn) * column);
            for (int bin = 0; bin < grid.rows; ++bin) // the farthest on top
                grid.values[static_cast<std::size_t>(grid.rows - 1 - bin) * static_cast<std::size_t>(grid.columns) + static_cast<std::size_t>(column)] =
                    static_cast<double>(m_trace->counts[static_cast<std::size_t>(column) * static_cast<std::size_t>(grid.rows) + static_cast<std::size_t>(bin)]);
        }
        for (int bin = grid.rows; bin-- > 0;)
            grid.rowLabels << formatCount(std::exp2(bin));
        grid.rowTitle = tr("reuse distance, objects");
        grid.columnTitle = tr("request");
        grid.valueTitle = tr("requests");
    }
    m_flat->setGrid(grid);
    m_flat->setCaption(m_caption);
    if (m_scene)
        m_scene->drawn.show(m_trace.get());
    const bool flat = !m_scene || m_form->isChecked() || !m_trace;
    m_pages->setCurrentWidget(flat ? static_cast<QWidget*>(m_flat) : m_scene->widget);
    mark();
}

bool ReuseDistanceView::marks() const { return m_objects && *m_objects >= 1 && m_trace && m_trace->distanceBins > 0; }

void ReuseDistanceView::placePlane()
{
    if (m_scene)
        m_scene->drawn.setPlane(marks() ? std::optional(std::log2(*m_objects)) : std::nullopt);
}

void ReuseDistanceView::mark()
{
    const bool shown = marks();
    const double bins = shown ? std::log2(*m_objects) : 0;
    if (!m_scene || !m_scene->widget->isVisible())
        placePlane();
    else if (!m_plane.isActive())
        m_plane.start();
    std::vector<std::pair<int, int>> badges;
    if (shown && m_flat->grid().rows > 0) {
        const int row = std::clamp(m_flat->grid().rows - 1 - static_cast<int>(bins), 0, m_flat->grid().rows - 1);
        for (int column = 0; column < m_flat->grid().columns; ++column)
            badges.emplace_back(row, column);
    }
    m_flat->setBadges(badges);
    const double share = within();
    m_word->setText(std::isfinite(share) ? tr("%1 of the requests come back within %2 other objects").arg(formatPercent(share), formatCount(std::round(*m_objects))) : QString());
}

/// Bins that the mark cuts count by the share of their logarithmic width below it.
double ReuseDistanceView::within() const
{
    if (!m_trace || !m_objects || m_trace->distanceBins <= 0 || *m_objects < 1 || m_trace->requests == 0)
        return NAN;
    const double bins = std::log2(*m_objects);
    double sum = 0, all = 0;
    for (int column = 0; column < m_trace->columns; ++column) {
        for (int bin = 0; bin < m_trace->distanceBins; ++bin) {
            const auto count = static_cast<double>(m_trace->counts[static_cast<std::size_t>(column) * static_cast<std::size_t>(m_trace->distanceBins) + static_cast<std::size_t>(bin)]);
            sum += count * std::clamp(bins - bin, 0.0, 1.0);
            all += count;
        }
        all += static_cast<double>(m_trace->first[static_cast<std::size_t>(column)]);
    }
    return all > 0 ? sum / all : NAN;
}

QWidget* ReuseDistanceView::sceneWidget() const { return m_scene ? m_scene->widget : nullptr; }
std::optional<double> ReuseDistanceView::planeAt() const { return m_scene ? m_scene->drawn.planeAt() : std::nullopt; }
QImage ReuseDistanceView::snapshot() { return m_scene ? m_scene->widget->snapshot() : QImage(); }
QString ReuseDistanceView::word() const { return m_word->text(); }

void ReuseDistanceView::resetView()
{
    if (m_scene)
        m_scene->drawn.resetCamera();
}

QSize ReuseDistanceView::figureSize() const
{
    if (m_pages->currentWidget() != m_flat)
        m_flat->resize(size().expandedTo(QSize(360, 240))); // it lies behind the scene, and is as large as it was left
    return m_flat->size();
}

void ReuseDistanceView::paintFigure(QPainter& painter) const { m_flat->paintFigure(painter); }
QString ReuseDistanceView::figureCsv() const { return m_flat->figureCsv(); }

} // namespace tamis::views
