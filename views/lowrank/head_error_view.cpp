// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/lowrank/head_error_view.h"

#include "views/common/heat_map.h"
#include "views/common/icons.h"
#include "views/common/theme.h"
#include "views/lowrank/head_error_scene.h"
#include "views/vtk/vtk_widget.h"

#include <QAction>
#include <QComboBox>
#include <QHBoxLayout>
#include <QStackedLayout>
#include <QToolButton>
#include <QVBoxLayout>

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
enum Measure { MapMeasure, OutputMeasure, LogitMeasure };
enum Of { ShownOf, GainOf };
enum Form { SpaceForm, FlatForm };
} // namespace

struct HeadErrorView::Scene {
    explicit Scene(QWidget* parent) : widget(new VtkWidget(parent)), drawn(*widget) {}
    VtkWidget* widget; ///< owned by its parent
    HeadErrorScene drawn;
};

HeadErrorView::HeadErrorView(QWidget* parent) : QWidget(parent), m_flat(new HeatMap(this))
{
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(Theme::kSpacing / 2);
    auto* bar = new QHBoxLayout;
    bar->setSpacing(Theme::kSpacing);
    const auto combo = [&](const QString& name, const QString& label, const QStringList& items) {
        auto* box = new QComboBox(this);
        box->setObjectName(name);
        box->setAccessibleName(label);
        box->setToolTip(label);
        box->addItems(items);
        box->setSizeAdjustPolicy(QComboBox::AdjustToContents);
        bar->addWidget(box);
        connect(box, &QComboBox::currentIndexChanged, this, [this] { rebuild(); });
        return box;
    };
    m_measure = combo(QStringLiteral("headErrorMeasure"), tr("What the height stands for"), {tr("map error"), tr("output error"), tr("score error")});
    m_of = combo(QStringLiteral("headErrorOf"), tr("Of what is shown, or what it gains"), {tr("as shown"), tr("separate − joint")});
    m_form = combo(QStringLiteral("headErrorForm"), tr("Bars in space, or a flat heat map"), {tr("bars"), tr("flat")});
    bar->addStretch(1);
    auto* reset = new QToolButton(this);
    reset->setObjectName(QStringLiteral("headErrorReset"));
    reset->setIcon(themedIcon(QStringLiteral("zoom-reset")));
    reset->setAutoRaise(true);
    reset->setToolTip(tr("Reset the view (0)"));
    reset->setAccessibleName(tr("Reset the view"));
    bar->addWidget(reset);
    column->addLayout(bar);
    auto* holder = new QWidget(this);
    m_pages = new QStackedLayout(holder);
    column->addWidget(holder, 1);
    m_flat->setObjectName(QStringLiteral("headErrorFlat"));
    m_flat->setAccessibleName(tr("Errors, layers by heads"));
    m_flat->setEmptyText(tr("The errors of all heads come with the final picture."));
    if (VtkWidget::available()) {
        m_scene = std::make_unique<Scene>(holder);
        VtkWidget* widget = m_scene->widget;
        widget->setObjectName(QStringLiteral("headErrorScene"));
        widget->setAccessibleName(tr("Errors of all heads as bars"));
        widget->setAccessibleDescription(tr("Layers by heads; the table holds the same values."));
        widget->setToolTip(tr("Left: rotate. Middle, or Shift and left: pan. Wheel: zoom. Click: choose the head. 0: reset."));
        auto* key = new QAction(tr("Reset the view"), widget);
        key->setShortcut(QKeySequence(Qt::Key_0));
        key->setShortcutContext(Qt::WidgetShortcut);
        widget->addAction(key);
        connect(key, &QAction::triggered, this, &HeadErrorView::resetView);
        connect(widget, &VtkWidget::sizeChanged, this, [this](const QSize& size, double ratio) { m_scene->drawn.setSize(size, ratio); });
        connect(widget, &VtkWidget::clicked, this, [this](const QPointF& at) {
            if (const auto head = m_scene->drawn.headAt(at)) {
                setChosen(head);
                emit headPicked(head->first, head->second);
            }
        });
        m_pages->addWidget(widget);
    } else {
        m_form->setCurrentIndex(FlatForm);
        m_form->hide();
    }
    m_pages->addWidget(m_flat);
    connect(reset, &QToolButton::clicked, this, &HeadErrorView::resetView);
    connect(m_flat, &HeatMap::cellSelected, this, [this](int head, int layer) {
        setChosen(std::pair{layer, head});
        emit headPicked(layer, head);
    });
    connect(&Theme::instance(), &Theme::changed, this, &HeadErrorView::rebuild);
    rebuild();
}

HeadErrorView::~HeadErrorView()
{
    if (m_scene) {
        disconnect(m_scene->widget, nullptr, this, nullptr);
        delete m_scene->widget; // releases its OpenGL objects while the scene's parts still exist
    }
}

void HeadErrorView::setHeads(const std::vector<report::AttentionHead>& heads, report::MapSource source, const QString& sourceTitle)
{
    m_heads = heads;
    m_source = source;
    m_sourceTitle = sourceTitle;
    rebuild();
}

void HeadErrorView::setChosen(std::optional<std::pair<int, int>> layerAndHead)
{
    if (layerAndHead == m_chosen)
        return;
    m_chosen = layerAndHead;
    rebuild();
}

double HeadErrorView::value(const report::AttentionHead& head) const
{
    const auto of = [this](const report::MapErrors& errors) {
        const int measure = m_measure->currentIndex();
        return measure == MapMeasure ? errors.map : measure == OutputMeasure ? errors.output : errors.logit;
    };
    return m_of->currentIndex() == GainOf ? of(head.separate) - of(head.joint) : of(head.of(m_source));
}

void HeadErrorView::rebuild()
{
    HeatGrid grid;
    double most = 0;
    for (const auto& head : m_heads) {
        grid.columns = std::max(grid.columns, head.layer + 1);
        grid.rows = std::max(grid.rows, static_cast<int>(head.head) + 1);
        if (const double v = value(head); std::isfinite(v))
            most = std::max(most, v);
    }
    grid.values.assign(static_cast<std::size_t>(grid.rows) * static_cast<std::size_t>(grid.columns), NAN);
    std::vector<HeadBar> bars;
    for (const auto& head : m_heads) {
        grid.values[static_cast<std::size_t>(head.head * grid.columns + head.layer)] = value(head);
        bars.push_back({head.layer, static_cast<int>(head.head), value(head)});
    }
    const bool gain = m_of->currentIndex() == GainOf;
    grid.rowTitle = tr("head");
    grid.columnTitle = tr("layer");
    grid.valueTitle = gain ? tr("%1, separate − joint").arg(m_measure->currentText()) : QStringLiteral("%1, %2").arg(m_measure->currentText(), m_sourceTitle);
    grid.diverging = gain;
    m_flat->setGrid(grid);
    m_flat->setSelected(m_chosen ? std::optional(std::pair{m_chosen->second, m_chosen->first}) : std::nullopt);
    m_flat->setCaption(m_caption);
    const bool flat = !m_scene || gain || m_form->currentIndex() == FlatForm; // gains have two signs: bars do not
    m_form->setEnabled(!gain);
    if (m_scene && !flat)
        m_scene->drawn.show(bars, m_measure->currentText(), most, m_chosen);
    m_pages->setCurrentWidget(flat ? static_cast<QWidget*>(m_flat) : m_scene->widget);
}

QWidget* HeadErrorView::sceneWidget() const { return m_scene ? m_scene->widget : nullptr; }
QPointF HeadErrorView::toPixel(int layer, int head) const { return m_scene ? m_scene->drawn.toPixel(layer, head) : QPointF(); }
QImage HeadErrorView::snapshot() { return m_scene ? m_scene->widget->snapshot() : QImage(); }

void HeadErrorView::resetView()
{
    if (m_scene)
        m_scene->drawn.resetCamera();
}

QSize HeadErrorView::figureSize() const
{
    if (m_pages->currentWidget() != m_flat)
        m_flat->resize(size().expandedTo(QSize(360, 240))); // it lies behind the scene, and is as large as it was left
    return m_flat->size();
}

void HeadErrorView::paintFigure(QPainter& painter) const { m_flat->paintFigure(painter); }
QString HeadErrorView::figureCsv() const { return m_flat->figureCsv(); }

} // namespace tamis::views
