// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/cache/step_board.h"

#include "views/common/figure_export.h"
#include "views/common/plot_paint.h"
#include "views/common/theme.h"

#include <QMouseEvent>
#include <QPainter>

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
constexpr double kGap = 3;      ///< between cells
constexpr double kMostSide = 96; ///< of a cell

QString wantedText(std::int64_t wantedIn)
{
    return wantedIn < 0 ? StepBoard::tr("never wanted again") : wantedIn == 1 ? StepBoard::tr("wanted again by the next request") : StepBoard::tr("wanted again in %1 requests").arg(wantedIn);
}
} // namespace

StepBoard::StepBoard(QWidget* parent) : QWidget(parent)
{
    setMouseTracking(true);
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Expanding);
    setAccessibleName(tr("Cells of the cache"));
    connect(&Theme::instance(), &Theme::changed, this, qOverload<>(&QWidget::update));
}

void StepBoard::moved()
{
    m_hovered = -1;
    QStringList held;
    for (const std::uint32_t object : m_playback.cells())
        if (object != kFreeCell)
            held << m_playback.nameOf(object);
    setAccessibleDescription(tr("%1 %2 held: %3").arg(outcome()).arg(held.size()).arg(held.join(QStringLiteral(", "))));
    update();
}

QString StepBoard::title() const
{
    const auto& report = m_playback.report();
    if (!report)
        return {};
    const QString settings = QString::fromStdString(report->settings);
    return settings.isEmpty() ? QString::fromStdString(report->title) : QStringLiteral("%1 · %2").arg(QString::fromStdString(report->title), settings);
}

QString StepBoard::outcome() const
{
    const report::CacheStep* step = m_playback.last();
    if (!step)
        return {};
    const QString name = m_playback.nameOf(step->object);
    if (step->hit)
        return tr("%1: hit.").arg(name);
    QString text = step->bypassed || step->cell < 0 ? tr("%1: miss, not taken in.").arg(name) : tr("%1: miss, taken in.").arg(name);
    for (const auto& gone : step->evicted) {
        const QString why = QString::fromStdString(gone.why);
        text += QLatin1Char(' ') + (why.isEmpty() ? tr("%1 left, %2.").arg(m_playback.nameOf(gone.object), wantedText(gone.wantedIn))
                                                  : tr("%1 left: %2; %3.").arg(m_playback.nameOf(gone.object), why, wantedText(gone.wantedIn)));
    }
    return text;
}

QRectF StepBoard::area() const { return QRectF(rect()).adjusted(2, 2, -2, -2); }

/// As many as make the cells largest.
int StepBoard::columns() const
{
    const int count = static_cast<int>(m_playback.cells().size());
    int best = 1;
    double most = 0;
    for (int across = 1; across <= std::max(1, count); ++across) {
        const int down = (count + across - 1) / across;
        const double side = std::min(area().width() / across, area().height() / std::max(1, down));
        if (side > most + 1e-9) {
            most = side;
            best = across;
        }
    }
    return best;
}

QRectF StepBoard::cellRect(int cell) const
{
    const int count = static_cast<int>(m_playback.cells().size());
    if (cell < 0 || cell >= count)
        return {};
    const int across = columns(), down = (count + across - 1) / across;
    const double side = std::min({area().width() / across, area().height() / down, kMostSide});
    const QPointF corner(area().left() + (area().width() - side * across) / 2, area().top() + (area().height() - side * down) / 2);
    return QRectF(corner + QPointF(side * (cell % across), side * (cell / across)), QSizeF(side, side)).adjusted(kGap / 2, kGap / 2, -kGap / 2, -kGap / 2);
}

QColor StepBoard::cellColour(int cell) const
{
    const auto& cells = m_playback.cells();
    if (cell < 0 || cell >= static_cast<int>(cells.size()) || cells[static_cast<std::size_t>(cell)] == kFreeCell)
        return Theme::instance().color(Ink::Panel);
    return Theme::instance().seriesColor(static_cast<int>(cells[static_cast<std::size_t>(cell)] % 10));
}

void StepBoard::paintCell(QPainter& painter, int cell) const
{
    const Theme& theme = Theme::instance();
    const QRectF at = cellRect(cell);
    const std::uint32_t object = m_playback.cells()[static_cast<std::size_t>(cell)];
    const report::CacheStep* step = m_playback.last();
    const QFontMetricsF metrics(painter.font());
    painter.setPen(QPen(theme.color(Ink::Border), 1, object == kFreeCell ? Qt::DotLine : Qt::SolidLine));
    painter.setBrush(cellColour(cell));
    painter.drawRoundedRect(at, 3, 3);
    if (object != kFreeCell && at.height() >= metrics.height()) {
        painter.setPen(theme.textOn(cellColour(cell)));
        painter.drawText(at.adjusted(2, 0, -2, 0), Qt::AlignCenter, metrics.elidedText(m_playback.nameOf(object), Qt::ElideRight, at.width() - 4));
    }
    if (!step)
        return;
    if (step->cell == cell) {
        painter.setBrush(Qt::NoBrush);
        painter.setPen(QPen(theme.color(Ink::Text), 3));
        painter.drawRoundedRect(at.adjusted(1, 1, -1, -1), 3, 3);
    }
    for (const auto& gone : step->evicted)
        if (gone.cell == cell) {
            painter.setPen(Qt::NoPen);
            painter.setBrush(theme.color(Ink::Error));
            const double corner = std::min(14.0, at.width() / 2);
            painter.drawPolygon(QPolygonF({at.topRight() - QPointF(corner, 0), at.topRight(), at.topRight() + QPointF(0, corner)}));
            if (at.height() >= 3 * metrics.height()) {
                const QRectF line(at.left() + 2, at.top() + 1, at.width() - corner - 4, metrics.height());
                painter.setPen(theme.textOn(cellColour(cell)));
                QFont struck = painter.font();
                struck.setStrikeOut(true);
                painter.save();
                painter.setFont(struck);
                painter.drawText(line, Qt::AlignLeft | Qt::AlignVCenter, metrics.elidedText(m_playback.nameOf(gone.object), Qt::ElideRight, line.width()));
                painter.restore();
            }
        }
}

void StepBoard::paintFigure(QPainter& painter) const
{
    const Theme& theme = Theme::instance();
    painter.setRenderHint(QPainter::Antialiasing);
    painter.fillRect(rect(), theme.color(Ink::Panel));
    painter.setFont(Theme::smallFont(font()));
    if (!m_playback.report()) {
        painter.setPen(theme.color(Ink::MutedText));
        painter.drawText(rect().adjusted(12, 12, -12, -12), Qt::AlignCenter | Qt::TextWordWrap, tr("The cells of the cache are shown here, request by request."));
        return;
    }
    for (int cell = 0; cell < static_cast<int>(m_playback.cells().size()); ++cell)
        paintCell(painter, cell);
}

void StepBoard::paintEvent(QPaintEvent*)
{
    QPainter painter(this);
    paintFigure(painter);
    if (m_hovered >= 0)
        drawHoverBox(painter, rect(), m_pointer, hoverLines());
}

QStringList StepBoard::hoverLines() const
{
    const auto& cells = m_playback.cells();
    if (m_hovered < 0 || m_hovered >= static_cast<int>(cells.size()))
        return {};
    const std::uint32_t object = cells[static_cast<std::size_t>(m_hovered)];
    QStringList lines{tr("cell %1").arg(m_hovered + 1), object == kFreeCell ? tr("free") : m_playback.nameOf(object)};
    if (const report::CacheStep* step = m_playback.last())
        for (const auto& gone : step->evicted)
            if (gone.cell == m_hovered)
                lines << tr("%1 has just left").arg(m_playback.nameOf(gone.object)) << wantedText(gone.wantedIn);
    return lines;
}

void StepBoard::mouseMoveEvent(QMouseEvent* event)
{
    m_pointer = event->position();
    m_hovered = -1;
    for (int cell = 0; cell < static_cast<int>(m_playback.cells().size()); ++cell)
        if (cellRect(cell).contains(m_pointer))
            m_hovered = cell;
    update();
}

void StepBoard::leaveEvent(QEvent*)
{
    m_hovered = -1;
    update();
}

QString StepBoard::figureCsv() const
{
    QString csv = QStringLiteral("request,object,hit,evicted,why,wanted again in\n");
    if (!m_playback.report())
        return csv;
    for (const auto& step : m_playback.report()->steps) {
        const QString start = QStringLiteral("%1,%2,%3").arg(step.request).arg(csvField(m_playback.nameOf(step.object))).arg(step.hit ? 1 : 0);
        if (step.evicted.empty())
            csv += start + QStringLiteral(",,,\n");
        for (const auto& gone : step.evicted)
            csv += start + QStringLiteral(",%1,%2,%3\n").arg(csvField(m_playback.nameOf(gone.object)), csvField(QString::fromStdString(gone.why)), gone.wantedIn < 0 ? QStringLiteral("never") : QString::number(gone.wantedIn));
    }
    return csv;
}

} // namespace tamis::views
