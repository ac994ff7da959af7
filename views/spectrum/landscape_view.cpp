// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/spectrum/landscape_view.h"

#include "views/common/icons.h"
#include "views/common/notice_bar.h"
#include "views/common/theme.h"
#include "views/spectrum/landscape_scene.h"
#include "views/vtk/vtk_widget.h"

#include <QAction>
#include <QComboBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QToolButton>
#include <QVBoxLayout>

namespace tamis::views {

struct LandscapeView::Scene {
    explicit Scene(QWidget* parent) : widget(new VtkWidget(parent)), drawn(*widget) {}
    VtkWidget* widget; ///< owned by its parent
    LandscapeScene drawn;
};

LandscapeView::LandscapeView(QWidget* parent) : QWidget(parent)
{
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(Theme::kSpacing / 2);
    buildToolBar();
    column->addWidget(m_bar);
    if (!VtkWidget::available()) {
        m_bar->setEnabled(false);
        auto* instead = new PlaceholderPanel(QStringLiteral("landscape"), tr("No OpenGL here"),
                                             tr("The landscape needs OpenGL 3.2. The curves and the table show the same spectra."), this);
        instead->setObjectName(QStringLiteral("landscapePlaceholder"));
        column->addWidget(instead, 1);
        return;
    }
    m_scene = std::make_unique<Scene>(this);
    VtkWidget* widget = m_scene->widget;
    widget->setObjectName(QStringLiteral("landscapeScene"));
    widget->setAccessibleName(tr("Spectrum landscape"));
    widget->setAccessibleDescription(tr("Layers by index by logarithm of the singular value; the table holds the same values."));
    widget->setToolTip(tr("Left: rotate. Middle, or Shift and left: pan. Wheel: zoom. Click: choose the layer. 0: reset."));
    column->addWidget(widget, 1);
    auto* reset = new QAction(tr("Reset the view"), widget);
    reset->setShortcut(QKeySequence(Qt::Key_0));
    reset->setShortcutContext(Qt::WidgetShortcut);
    widget->addAction(reset);
    connect(reset, &QAction::triggered, this, &LandscapeView::resetView);
    connect(widget, &VtkWidget::sizeChanged, this,
            [this](const QSize& size, double ratio) { m_scene->drawn.setSize(size, ratio); });
    connect(widget, &VtkWidget::clicked, this, &LandscapeView::pick);
    connect(&Theme::instance(), &Theme::changed, this, [this] { rebuild(false); });
    rebuild(true);
}

LandscapeView::~LandscapeView()
{
    if (m_scene) {
        disconnect(m_scene->widget, nullptr, this, nullptr);
        delete m_scene->widget; // releases its OpenGL objects while the scene's parts still exist
    }
}

void LandscapeView::buildToolBar()
{
    m_bar = new QWidget(this);
    auto* row = new QHBoxLayout(m_bar);
    row->setContentsMargins(0, 0, 0, 0);
    row->setSpacing(Theme::kSpacing);
    const auto combo = [&](const QString& name, const QString& label, const QString& help) {
        auto* box = new QComboBox(m_bar);
        box->setObjectName(name);
        box->setAccessibleName(label);
        box->setToolTip(help);
        box->setSizeAdjustPolicy(QComboBox::AdjustToContents);
        row->addWidget(box);
        return box;
    };
    m_role = combo(QStringLiteral("landscapeRole"), tr("Role"), tr("Role of the matrices that the surface shows, one a layer"));
    m_index = combo(QStringLiteral("landscapeIndex"), tr("Index axis"), tr("Spacing of the singular values"));
    m_index->addItems({tr("share of rank"), tr("logarithmic index")});
    m_height = combo(QStringLiteral("landscapeHeight"), tr("Height"), tr("What the height stands for"));
    m_height->addItems({tr("over the largest"), tr("absolute")});
    row->addStretch(1);
    auto* reset = new QToolButton(m_bar);
    reset->setObjectName(QStringLiteral("landscapeReset"));
    reset->setIcon(themedIcon(QStringLiteral("zoom-reset")));
    reset->setAutoRaise(true);
    reset->setToolTip(tr("Reset the view (0)"));
    reset->setAccessibleName(tr("Reset the view"));
    row->addWidget(reset);
    connect(reset, &QToolButton::clicked, this, &LandscapeView::resetView);
    connect(m_role, &QComboBox::currentIndexChanged, this, [this] { rebuild(true); });
    connect(m_index, &QComboBox::currentIndexChanged, this, [this] { rebuild(false); });
    connect(m_height, &QComboBox::currentIndexChanged, this, [this] { rebuild(false); });
}

void LandscapeView::setLandscape(std::shared_ptr<const report::Landscape> landscape)
{
    const QString before = role();
    m_landscape = std::move(landscape);
    fillRoles();
    rebuild(role() != before);
}

void LandscapeView::fillRoles()
{
    const QString before = role();
    const QSignalBlocker quiet(m_role);
    m_role->clear();
    if (m_landscape)
        for (const auto& one : m_landscape->roles)
            m_role->addItem(QString::fromStdString(one.role));
    int at = m_role->findText(before);
    for (int i = 0; at < 0 && i < m_role->count(); ++i) // the first role that stands in several layers
        if (m_landscape->roles[static_cast<std::size_t>(i)].rows.size() > 1)
            at = i;
    m_role->setCurrentIndex(at < 0 && m_role->count() > 0 ? 0 : at);
}

QString LandscapeView::role() const { return m_role->currentText(); }

void LandscapeView::setRole(const QString& role)
{
    if (const int at = m_role->findText(role); at >= 0)
        m_role->setCurrentIndex(at);
}

const report::LandscapeRole* LandscapeView::shownRole() const
{
    const int at = m_role->currentIndex();
    return m_landscape && at >= 0 && static_cast<std::size_t>(at) < m_landscape->roles.size()
               ? &m_landscape->roles[static_cast<std::size_t>(at)]
               : nullptr;
}

void LandscapeView::setSelectedLayer(int layer)
{
    if (layer == m_selectedLayer)
        return;
    m_selectedLayer = layer;
    rebuild(false);
}

void LandscapeView::rebuild(bool resetCamera)
{
    if (!m_scene)
        return;
    static const std::vector<double> none;
    const LandscapeStyle style{.logarithmicIndex = m_index->currentIndex() == 1, .relative = m_height->currentIndex() == 0};
    m_scene->drawn.show(shownRole(), m_landscape ? m_landscape->position : none, style, m_selectedLayer);
    if (resetCamera)
        m_scene->drawn.resetCamera();
}

void LandscapeView::pick(const QPointF& position)
{
    const auto* shown = shownRole();
    const auto row = m_scene->drawn.rowAt(position);
    if (!shown || !row)
        return;
    const auto& chosen = shown->rows[static_cast<std::size_t>(*row)];
    setSelectedLayer(chosen.layer);
    emit layerPicked(chosen.layer, QString::fromStdString(shown->role), QString::fromStdString(chosen.matrix));
}

void LandscapeView::resetView()
{
    if (m_scene)
        m_scene->drawn.resetCamera();
}

QImage LandscapeView::snapshot() { return m_scene ? m_scene->widget->snapshot() : QImage(); }

QPointF LandscapeView::toPixel(std::size_t row, std::size_t sample) const
{
    return m_scene ? m_scene->drawn.toPixel(row, sample) : QPointF();
}

QWidget* LandscapeView::sceneWidget() const { return m_scene ? m_scene->widget : nullptr; }

} // namespace tamis::views
