// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/model/roofline_plot.h"

#include "views/common/figure_export.h"
#include "views/common/number_format.h"
#include "views/common/theme.h"
#include "views/model/layer_measure.h"

#include <QKeyEvent>
#include <QMouseEvent>

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
constexpr double kReach = 10; ///< pixels around a dot that take hold of it
} // namespace

RooflinePlot::RooflinePlot(QWidget* parent) : QWidget(parent)
{
    setObjectName(QStringLiteral("rooflinePlot"));
    setAccessibleName(tr("Roofline: speed over arithmetic intensity"));
    setMouseTracking(true);
    setFocusPolicy(Qt::StrongFocus);
    m_emptyText = tr("No model is open.");
    connect(&Theme::instance(), &Theme::changed, this, qOverload<>(&QWidget::update));
}

double RooflinePlot::roof(const report::Ceilings& ceilings, double intensity)
{
    return std::min(ceilings.gflops, ceilings.gigabytesPerSecond * intensity);
}

void RooflinePlot::setReport(std::shared_ptr<const report::ModelCostReport> report)
{
    m_report = std::move(report);
    rebuild();
}

void RooflinePlot::setCeilings(const report::Ceilings& ceilings)
{
    m_ceilings = ceilings;
    rebuild();
}

void RooflinePlot::setEmptyText(const QString& text)
{
    m_emptyText = text;
    update();
}

void RooflinePlot::rebuild()
{
    m_dots.clear();
    m_hovered = m_current = -1;
    std::set<std::string> left;
    if (m_report)
        for (std::size_t i = 0; i < m_report->layers.size(); ++i) {
            const auto& l = m_report->layers[i];
            if (m_selected.count(l.name))
                left.insert(l.name);
            if (l.macs == 0 || !(l.intensity > 0))
                continue;
            Dot dot{.layer = static_cast<int>(i), .intensity = l.intensity, .gflops = roof(m_ceilings, l.intensity)};
            if (l.measuredMs > 0) {
                dot.measured = true;
                dot.gflops = 2 * static_cast<double>(l.macs) * static_cast<double>(m_report->batch) / (l.measuredMs * 1e6);
            }
            if (dot.gflops > 0)
                m_dots.push_back(dot);
        }
    m_selected = std::move(left);
    std::stable_sort(m_dots.begin(), m_dots.end(), [](const Dot& a, const Dot& b) { return a.intensity < b.intensity; });
    update();
}

RooflinePlot::Frame RooflinePlot::frame() const
{
    const QFontMetricsF metrics(Theme::smallFont(font()));
    Frame f;
    f.area = QRectF(rect()).adjusted(metrics.height() + metrics.horizontalAdvance(QStringLiteral("1000")) + 16, metrics.height() + 18, -16,
                                     -2 * metrics.height() - 14);
    f.area.setSize(QSizeF(std::max(f.area.width(), 1.0), std::max(f.area.height(), 1.0)));
    double xLow = INFINITY, xHigh = -INFINITY, yLow = INFINITY, yHigh = -INFINITY;
    const auto add = [&](double x, double y) {
        if (!(x > 0 && y > 0))
            return;
        xLow = std::min(xLow, std::log10(x));
        xHigh = std::max(xHigh, std::log10(x));
        yLow = std::min(yLow, std::log10(y));
        yHigh = std::max(yHigh, std::log10(y));
    };
    for (const auto& dot : m_dots)
        add(dot.intensity, dot.gflops);
    if (m_ceilings.gflops > 0 && m_ceilings.gigabytesPerSecond > 0) // the ridge stays in sight
        add(m_ceilings.gflops / m_ceilings.gigabytesPerSecond, m_ceilings.gflops);
    if (xLow <= xHigh) {
        f.xLow = std::floor(2 * (xLow - 0.15)) / 2;
        f.xHigh = std::max(std::ceil(2 * (xHigh + 0.15)) / 2, f.xLow + 1);
        f.yLow = std::floor(2 * (yLow - 0.15)) / 2;
        f.yHigh = std::max(std::ceil(2 * (yHigh + 0.15)) / 2, f.yLow + 1);
    }
    return f;
}

QPointF RooflinePlot::place(const Frame& f, double intensity, double gflops)
{
    return {f.area.left() + (std::log10(intensity) - f.xLow) / (f.xHigh - f.xLow) * f.area.width(),
            f.area.bottom() - (std::log10(gflops) - f.yLow) / (f.yHigh - f.yLow) * f.area.height()};
}

QPointF RooflinePlot::toPixel(double intensity, double gflops) const { return place(frame(), intensity, gflops); }

int RooflinePlot::dotAt(const QPointF& position) const
{
    const Frame f = frame();
    int best = -1;
    double nearest = kReach;
    for (std::size_t i = 0; i < m_dots.size(); ++i) {
        const QPointF d = place(f, m_dots[i].intensity, m_dots[i].gflops) - position;
        // Of dots that lie over one another the selected one answers, then the last drawn.
        const double distance = std::hypot(d.x(), d.y()) - (isSelected(m_dots[i]) ? 0.5 : 0);
        if (distance <= nearest) {
            nearest = distance;
            best = static_cast<int>(i);
        }
    }
    return best;
}

QStringList RooflinePlot::selection() const
{
    QStringList names;
    if (m_report)
        for (const auto& l : m_report->layers)
            if (m_selected.count(l.name))
                names << QString::fromStdString(l.name);
    return names;
}

void RooflinePlot::setSelection(const QStringList& names)
{
    m_selected.clear();
    for (const auto& name : names)
        m_selected.insert(name.toStdString());
    update();
}

void RooflinePlot::select(int index, bool add)
{
    const auto before = selection();
    if (!add)
        m_selected.clear();
    m_current = index;
    if (index >= 0) {
        const auto& name = layer(m_dots[static_cast<std::size_t>(index)]).name;
        if (add && m_selected.count(name))
            m_selected.erase(name);
        else
            m_selected.insert(name);
        setAccessibleDescription(layerSummary(layer(m_dots[static_cast<std::size_t>(index)])));
    }
    update();
    if (selection() != before)
        emit selectionChanged(selection());
}

QStringList RooflinePlot::hoverLines() const
{
    if (m_hovered < 0)
        return {};
    const auto& dot = m_dots[static_cast<std::size_t>(m_hovered)];
    const auto& l = layer(dot);
    const double allowed = roof(m_ceilings, dot.intensity);
    QStringList lines{QString::fromStdString(l.name)};
    if (const QString form = formText(l); !form.isEmpty())
        lines << form;
    lines << tr("%1 FLOP/byte, %2 bound").arg(formatNumber(dot.intensity, 3), allowed < m_ceilings.gflops ? tr("memory") : tr("compute"));
    if (dot.measured)
        lines << tr("%1 GFLOP/s, %2 of the roof").arg(formatNumber(dot.gflops, 3), formatPercent(dot.gflops / allowed, 0))
              << tr("%1 measured").arg(formatMeasure(LayerMeasure::MeasuredMs, l.measuredMs));
    else
        lines << tr("at most %1 GFLOP/s, not measured").arg(formatNumber(dot.gflops, 3));
    return lines;
}

void RooflinePlot::mouseMoveEvent(QMouseEvent* event)
{
    const int at = dotAt(event->position());
    if (at != m_hovered) {
        m_hovered = at;
        setCursor(at >= 0 ? Qt::PointingHandCursor : Qt::ArrowCursor);
        update();
    }
}

void RooflinePlot::mousePressEvent(QMouseEvent* event)
{
    if (event->button() == Qt::LeftButton)
        if (const int at = dotAt(event->position()); at >= 0)
            select(at, event->modifiers().testFlag(Qt::ControlModifier));
}

void RooflinePlot::keyPressEvent(QKeyEvent* event)
{
    const int count = static_cast<int>(m_dots.size());
    if (count > 0 && (event->key() == Qt::Key_Left || event->key() == Qt::Key_Right)) {
        int from = m_current;
        for (int i = 0; from < 0 && i < count; ++i)
            if (isSelected(m_dots[static_cast<std::size_t>(i)]))
                from = i;
        const int by = event->key() == Qt::Key_Right ? 1 : -1;
        select(from < 0 ? 0 : std::clamp(from + by, 0, count - 1), false);
    } else if (event->key() == Qt::Key_Escape) {
        select(-1, false);
    } else {
        QWidget::keyPressEvent(event);
    }
}

void RooflinePlot::leaveEvent(QEvent*)
{
    m_hovered = -1;
    update();
}

void RooflinePlot::focusInEvent(QFocusEvent* event)
{
    QWidget::focusInEvent(event);
    update();
}

void RooflinePlot::focusOutEvent(QFocusEvent* event)
{
    QWidget::focusOutEvent(event);
    update();
}

QString RooflinePlot::figureCsv() const
{
    QString text = QStringLiteral("layer,form,intensity_flop_per_byte,gflops,measured,roof_gflops\n");
    for (const auto& dot : m_dots)
        text += QStringList{csvField(QString::fromStdString(layer(dot).name)), QString::fromStdString(layer(dot).form),
                            QString::number(dot.intensity, 'g', 12), QString::number(dot.gflops, 'g', 12),
                            dot.measured ? QStringLiteral("1") : QStringLiteral("0"), QString::number(roof(m_ceilings, dot.intensity), 'g', 12)}
                    .join(QLatin1Char(',')) + QLatin1Char('\n');
    return text;
}

QString RooflinePlot::figureCaption() const
{
    if (!m_report)
        return {};
    return tr("%1, %2 tokens, batch %3; %4: %5 GFLOP/s, %6 GB/s")
        .arg(QString::fromStdString(m_report->family)).arg(m_report->tokens).arg(m_report->batch)
        .arg(QString::fromStdString(m_ceilings.name)).arg(m_ceilings.gflops).arg(m_ceilings.gigabytesPerSecond);
}

} // namespace tamis::views
