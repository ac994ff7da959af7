// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/model/layer_chain.h"

#include "views/common/figure_export.h"
#include "views/common/theme.h"

#include <QAccessible>
#include <QHelpEvent>
#include <QKeyEvent>
#include <QMouseEvent>
#include <QScrollBar>
#include <QToolTip>

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
constexpr double kLeastZoom = 0.25, kMostZoom = 3, kZoomStep = 1.15;
constexpr double kLeastFit = 0.55, kMostFit = 1.2; ///< a fit that is smaller cannot be read
} // namespace

LayerChain::LayerChain(QWidget* parent) : QAbstractScrollArea(parent)
{
    setObjectName(QStringLiteral("layerChain"));
    setAccessibleName(tr("Layer chain"));
    setFocusPolicy(Qt::StrongFocus);
    setFrameShape(QFrame::NoFrame);
    setMouseTracking(true);
    viewport()->setMouseTracking(true);
    viewport()->setObjectName(QStringLiteral("layerChainViewport"));
    m_emptyText = tr("No model is open.");
    connect(&Theme::instance(), &Theme::changed, viewport(), qOverload<>(&QWidget::update));
}

double LayerChain::lineHeight() const { return std::ceil(QFontMetricsF(Theme::smallFont(font())).height()); }

void LayerChain::setReport(std::shared_ptr<const report::ModelCostReport> report)
{
    const auto blocks = [](const auto& r) {
        std::vector<int> all;
        if (r)
            for (const auto& l : r->layers)
                all.push_back(l.block);
        return all;
    };
    if (blocks(m_report) != blocks(report)) {
        m_toggled.clear();
        m_current = -1;
        m_fits = true;
    }
    m_report = std::move(report);
    std::set<std::string> left;
    if (m_report)
        for (const auto& l : m_report->layers)
            if (m_selected.count(l.name))
                left.insert(l.name);
    m_selected = std::move(left);
    rebuild();
}

void LayerChain::setMeasure(LayerMeasure measure)
{
    m_measure = measure;
    rebuild();
}

void LayerChain::setFolding(ChainFolding folding)
{
    m_folding = folding;
    m_toggled.clear();
    m_current = -1;
    rebuild();
}

void LayerChain::setEmptyText(const QString& text)
{
    m_emptyText = text;
    viewport()->update();
}

void LayerChain::rebuild()
{
    m_layout = m_report ? layOutChain(*m_report, m_folding, m_toggled, lineHeight()) : ChainLayout{};
    m_current = m_current < static_cast<int>(m_layout.boxes.size()) ? m_current : -1;
    m_hovered = -1;
    m_largestLayer = m_largestBlock = 0;
    for (std::size_t i = 0; i < m_layout.boxes.size(); ++i) {
        const double value = boxValue(static_cast<int>(i));
        if (!std::isfinite(value))
            continue;
        auto& largest = m_layout.boxes[i].kind == ChainBox::Kind::Layer ? m_largestLayer : m_largestBlock;
        largest = std::max(largest, value);
    }
    if (m_fits)
        fitZoom();
    updateScrollBars();
    viewport()->update();
}

const report::LayerCost& LayerChain::layer(const ChainBox& box) const
{
    return m_report->layers[static_cast<std::size_t>(box.layers.front())];
}

double LayerChain::boxValue(int index) const
{
    const auto& box = m_layout.boxes[static_cast<std::size_t>(index)];
    double sum = 0;
    int known = 0;
    for (const int i : box.layers)
        if (const double value = measureOf(m_report->layers[static_cast<std::size_t>(i)], m_measure); std::isfinite(value)) {
            sum += value;
            ++known;
        }
    if (known == 0)
        return report::kNotMeasured;
    if (box.kind == ChainBox::Kind::Layer)
        return sum / known;
    const auto& column = m_layout.columns[static_cast<std::size_t>(box.column)];
    return sum / (column.lastBlock - column.firstBlock + 1);
}

QString LayerChain::boxText(int index) const
{
    if (index < 0)
        return {};
    const auto& box = m_layout.boxes[static_cast<std::size_t>(index)];
    const auto& column = m_layout.columns[static_cast<std::size_t>(box.column)];
    const QString times = column.repeated ? tr("\n× %1, blocks %2 to %3").arg(column.lastBlock - column.firstBlock + 1).arg(column.firstBlock).arg(column.lastBlock) : QString();
    if (box.kind == ChainBox::Kind::Layer)
        return layerSummary(layer(box)) + times;
    int replaced = 0;
    for (const int i : box.layers)
        replaced += isCompressed(m_report->layers[static_cast<std::size_t>(i)]);
    QString text = column.repeated ? tr("Blocks %1 to %2").arg(column.firstBlock).arg(column.lastBlock) : tr("Block %1").arg(column.firstBlock);
    text += QLatin1Char('\n') + tr("%1 each: %2").arg(measureTitle(m_measure), formatMeasure(m_measure, boxValue(index)));
    if (replaced > 0)
        text += QLatin1Char('\n') + tr("Replaced operators: %1").arg(replaced);
    return text + QLatin1Char('\n') + (column.folded ? tr("Folded: Enter unfolds") : column.repeated ? tr("Enter shows every block") : tr("Enter folds"));
}

bool LayerChain::isSelected(const ChainBox& box) const
{
    const auto chosen = [&](int i) { return m_selected.count(m_report->layers[static_cast<std::size_t>(i)].name) != 0; };
    return box.kind == ChainBox::Kind::Layer ? std::any_of(box.layers.begin(), box.layers.end(), chosen)
                                             : std::all_of(box.layers.begin(), box.layers.end(), chosen);
}

QStringList LayerChain::selection() const
{
    QStringList names;
    if (m_report)
        for (const auto& l : m_report->layers)
            if (m_selected.count(l.name))
                names << QString::fromStdString(l.name);
    return names;
}

void LayerChain::setSelection(const QStringList& names)
{
    if (names == selection())
        return;
    m_selected.clear();
    for (const auto& name : names)
        m_selected.insert(name.toStdString());
    for (std::size_t i = 0; i < m_layout.boxes.size(); ++i)
        if (m_layout.boxes[i].kind == ChainBox::Kind::Layer && isSelected(m_layout.boxes[i])) {
            makeCurrent(static_cast<int>(i));
            scrollToBox(static_cast<int>(i));
            break;
        }
    viewport()->update();
}

void LayerChain::select(int index, bool add)
{
    const auto before = selection();
    if (!add)
        m_selected.clear();
    if (index >= 0) {
        const auto& box = m_layout.boxes[static_cast<std::size_t>(index)];
        const bool remove = add && isSelected(box);
        for (const int i : box.layers) {
            const auto& name = m_report->layers[static_cast<std::size_t>(i)].name;
            remove ? static_cast<void>(m_selected.erase(name)) : static_cast<void>(m_selected.insert(name));
        }
        makeCurrent(index);
    }
    viewport()->update();
    if (selection() != before)
        emit selectionChanged(selection());
}

void LayerChain::makeCurrent(int box)
{
    m_current = box;
    setAccessibleDescription(boxText(box));
    QAccessibleEvent told(this, QAccessible::DescriptionChanged);
    QAccessible::updateAccessibility(&told);
    viewport()->update();
}

void LayerChain::toggleFold(int index)
{
    const auto& column = m_layout.columns[static_cast<std::size_t>(index)];
    if (column.firstBlock < 0)
        return;
    if (m_toggled.erase(column.runStart) == 0)
        m_toggled.insert(column.runStart);
    const int head = column.runStart;
    rebuild();
    for (std::size_t i = 0; i < m_layout.boxes.size(); ++i)
        if (m_layout.boxes[i].kind == ChainBox::Kind::Header && m_layout.columns[static_cast<std::size_t>(m_layout.boxes[i].column)].firstBlock == head)
            makeCurrent(static_cast<int>(i));
    emit foldingChanged();
}

// Geometry ------------------------------------------------------------------------------------------------------------

QPointF LayerChain::origin() const
{
    const QSizeF size = m_layout.size * m_zoom;
    const auto place = [](double room, double need, int scrolled) { return need < room ? (room - need) / 2 : -static_cast<double>(scrolled); };
    return {place(viewport()->width(), size.width(), horizontalScrollBar()->value()),
            place(viewport()->height(), size.height(), verticalScrollBar()->value())};
}

QPointF LayerChain::toChain(const QPointF& position) const { return (position - origin()) / m_zoom; }

QRectF LayerChain::boxOnScreen(int box) const
{
    const QRectF rect = m_layout.boxes[static_cast<std::size_t>(box)].rect;
    return {rect.topLeft() * m_zoom + origin(), rect.size() * m_zoom};
}

void LayerChain::updateScrollBars()
{
    // From the room without bars: the viewport's present size is that of the bars before.
    const QSizeF need = m_layout.size * m_zoom - QSizeF(0.5, 0.5);
    const QSize room = maximumViewportSize();
    const int across = horizontalScrollBar()->sizeHint().height(), down = verticalScrollBar()->sizeHint().width();
    bool wide = need.width() > room.width();
    const bool tall = need.height() > room.height() - (wide ? across : 0);
    wide = wide || (tall && need.width() > room.width() - down);
    const auto set = [](QScrollBar* bar, double length, int page) {
        bar->setRange(0, std::max(0, static_cast<int>(std::ceil(length)) - page));
        bar->setPageStep(page);
        bar->setSingleStep(40);
    };
    set(horizontalScrollBar(), need.width(), room.width() - (tall ? down : 0));
    set(verticalScrollBar(), need.height(), room.height() - (wide ? across : 0));
}

void LayerChain::fitZoom()
{
    m_fits = true;
    if (!m_layout.size.isEmpty()) {
        const QSizeF room = maximumViewportSize();
        const double bar = horizontalScrollBar()->sizeHint().height();
        const double whole = std::min(room.height() / m_layout.size.height(), room.width() / m_layout.size.width());
        const double tall = (room.height() - bar) / m_layout.size.height();
        m_zoom = std::clamp(whole >= 0.85 * tall ? whole : tall, kLeastFit, kMostFit);
    }
    updateScrollBars();
    viewport()->update();
}

void LayerChain::zoomTo(double zoom, const QPointF& fixed)
{
    const QPointF at = toChain(fixed);
    m_fits = false;
    m_zoom = std::clamp(zoom, kLeastZoom, kMostZoom);
    updateScrollBars();
    horizontalScrollBar()->setValue(static_cast<int>(std::lround(at.x() * m_zoom - fixed.x())));
    verticalScrollBar()->setValue(static_cast<int>(std::lround(at.y() * m_zoom - fixed.y())));
    viewport()->update();
}

void LayerChain::scrollToBox(int box)
{
    if (box < 0)
        return;
    const QRectF on = boxOnScreen(box).adjusted(-24, -12, 24, 12);
    const auto bring = [](QScrollBar* bar, double low, double high, int room) {
        if (low < 0 || high - low > room)
            bar->setValue(bar->value() + static_cast<int>(std::floor(low)));
        else if (high > room)
            bar->setValue(bar->value() + static_cast<int>(std::ceil(high - room)));
    };
    bring(horizontalScrollBar(), on.left(), on.right(), viewport()->width());
    bring(verticalScrollBar(), on.top(), on.bottom(), viewport()->height());
}

QSize LayerChain::sizeHint() const { return m_layout.size.isEmpty() ? QSize(600, 260) : QSize(600, static_cast<int>(m_layout.size.height()) + 14); }

// Events --------------------------------------------------------------------------------------------------------------

void LayerChain::resizeEvent(QResizeEvent*)
{
    if (m_fits)
        fitZoom();
    updateScrollBars();
}

void LayerChain::changeEvent(QEvent* event)
{
    QAbstractScrollArea::changeEvent(event);
    if (event->type() == QEvent::FontChange)
        rebuild();
}

void LayerChain::mousePressEvent(QMouseEvent* event)
{
    const QPointF at = toChain(event->position());
    const int box = m_layout.boxAt(at);
    if (event->button() == Qt::LeftButton && box >= 0) {
        if (const int column = m_layout.columnToFold(at); column >= 0)
            toggleFold(column);
        else
            select(box, event->modifiers().testFlag(Qt::ControlModifier));
        return;
    }
    if (event->button() == Qt::LeftButton || event->button() == Qt::MiddleButton) {
        m_panning = true;
        m_panFrom = event->position();
        viewport()->setCursor(Qt::ClosedHandCursor);
    }
}

void LayerChain::mouseMoveEvent(QMouseEvent* event)
{
    if (m_panning) {
        const QPointF by = event->position() - m_panFrom;
        m_panFrom = event->position();
        horizontalScrollBar()->setValue(horizontalScrollBar()->value() - static_cast<int>(std::lround(by.x())));
        verticalScrollBar()->setValue(verticalScrollBar()->value() - static_cast<int>(std::lround(by.y())));
        return;
    }
    const int at = m_layout.boxAt(toChain(event->position()));
    if (at != m_hovered) {
        m_hovered = at;
        viewport()->setCursor(at >= 0 ? Qt::PointingHandCursor : Qt::ArrowCursor);
        viewport()->update();
    }
}

void LayerChain::mouseReleaseEvent(QMouseEvent*)
{
    if (m_panning)
        viewport()->setCursor(Qt::ArrowCursor);
    m_panning = false;
}

void LayerChain::mouseDoubleClickEvent(QMouseEvent* event)
{
    const QPointF at = toChain(event->position());
    const int box = m_layout.boxAt(at);
    if (box < 0)
        fitZoom();
    else if (m_layout.boxes[static_cast<std::size_t>(box)].kind != ChainBox::Kind::Layer)
        toggleFold(m_layout.boxes[static_cast<std::size_t>(box)].column);
}

void LayerChain::wheelEvent(QWheelEvent* event)
{
    const QPoint by = event->angleDelta();
    if (event->modifiers().testFlag(Qt::ShiftModifier) || by.x() != 0) {
        horizontalScrollBar()->setValue(horizontalScrollBar()->value() - (by.x() != 0 ? by.x() : by.y()));
    } else if (by.y() != 0) {
        zoomTo(m_zoom * std::pow(kZoomStep, by.y() / 120.0), event->position());
    }
    event->accept();
}

void LayerChain::keyPressEvent(QKeyEvent* event)
{
    const auto walk = [&](int columns, int rows) {
        const int next = m_layout.neighbour(m_current, columns, rows);
        if (next < 0)
            return;
        select(next, event->modifiers().testFlag(Qt::ShiftModifier));
        scrollToBox(next);
    };
    const QPointF middle(viewport()->width() / 2.0, viewport()->height() / 2.0);
    switch (event->key()) {
    case Qt::Key_Left: return walk(-1, 0);
    case Qt::Key_Right: return walk(1, 0);
    case Qt::Key_Up: return walk(0, -1);
    case Qt::Key_Down: return walk(0, 1);
    case Qt::Key_Home:
    case Qt::Key_End:
        if (!m_layout.boxes.empty()) {
            select(event->key() == Qt::Key_Home ? 0 : static_cast<int>(m_layout.boxes.size()) - 1, false);
            scrollToBox(m_current);
        }
        return;
    case Qt::Key_Space:
    case Qt::Key_Return:
    case Qt::Key_Enter:
        if (m_current >= 0 && m_layout.boxes[static_cast<std::size_t>(m_current)].kind != ChainBox::Kind::Layer)
            toggleFold(m_layout.boxes[static_cast<std::size_t>(m_current)].column);
        return;
    case Qt::Key_Escape: return select(-1, false);
    case Qt::Key_Plus:
    case Qt::Key_Equal: return zoomTo(m_zoom * kZoomStep, middle);
    case Qt::Key_Minus: return zoomTo(m_zoom / kZoomStep, middle);
    case Qt::Key_0: return fitZoom();
    default: QAbstractScrollArea::keyPressEvent(event);
    }
}

void LayerChain::focusInEvent(QFocusEvent* event)
{
    QAbstractScrollArea::focusInEvent(event);
    if (m_current < 0 && !m_layout.boxes.empty())
        makeCurrent(0);
    viewport()->update();
}

void LayerChain::focusOutEvent(QFocusEvent* event)
{
    QAbstractScrollArea::focusOutEvent(event);
    viewport()->update();
}

bool LayerChain::viewportEvent(QEvent* event)
{
    if (event->type() == QEvent::ToolTip) {
        const auto* help = static_cast<QHelpEvent*>(event);
        const int box = m_layout.boxAt(toChain(help->pos()));
        QToolTip::showText(help->globalPos(), boxText(box), viewport());
        return true;
    }
    if (event->type() == QEvent::Leave && m_hovered >= 0) {
        m_hovered = -1;
        viewport()->update();
    }
    return QAbstractScrollArea::viewportEvent(event);
}

QString LayerChain::figureCsv() const
{
    QString text = QStringLiteral("layer,kind,form,rank,block,input,output,parameters,macs,weight_bytes,activation_bytes,intensity,predicted_ms,measured_ms\n");
    const auto number = [](double v) { return std::isfinite(v) ? QString::number(v, 'g', 12) : QString(); };
    if (m_report)
        for (const auto& l : m_report->layers)
            text += QStringList{csvField(QString::fromStdString(l.name)), QString::fromStdString(l.kind), QString::fromStdString(l.form),
                                QString::number(l.rank), QString::number(l.block), sampleShapeText(l.inputShape), sampleShapeText(l.outputShape),
                                QString::number(l.parameters), QString::number(l.macs), QString::number(l.weightBytes),
                                QString::number(l.activationBytes), number(l.intensity), number(l.predictedMs), number(l.measuredMs)}
                        .join(QLatin1Char(',')) + QLatin1Char('\n');
    return text;
}

} // namespace tamis::views
