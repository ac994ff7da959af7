// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/fleet/ring_view.h"

#include "views/common/number_format.h"
#include "views/common/plot_paint.h"
#include "views/common/theme.h"

#include <QMouseEvent>
#include <QPainter>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

namespace tamis::views {
namespace {
constexpr double kSide = 14, kGap = 0.12; ///< pixels; share of a device's angle
constexpr int kNamed = 32;                ///< devices, beyond which names would overlap
} // namespace

RingView::RingView(QWidget* parent) : QWidget(parent)
{
    setObjectName(QStringLiteral("fleetRing"));
    setAccessibleName(tr("Load of the devices"));
    setMouseTracking(true);
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Expanding);
    connect(&Theme::instance(), &Theme::changed, this, qOverload<>(&QWidget::update));
    setLoad({}, {}, -1);
}

void RingView::setLoad(const std::vector<std::uint64_t>& requests, const std::vector<std::uint64_t>& hits, int leaving)
{
    m_requests = requests;
    m_hits = hits;
    m_hits.resize(requests.size());
    m_leaving = leaving;
    m_hovered = -1;
    m_most = requests.empty() ? 1 : std::max(1.0, static_cast<double>(std::ranges::max(requests)));
    m_mean = requests.empty() ? 0 : static_cast<double>(std::accumulate(requests.begin(), requests.end(), std::uint64_t{0})) / static_cast<double>(requests.size());
    setAccessibleDescription(requests.empty() ? tr("The load of the devices is shown here.") : tr("%1 devices, the busiest has %2 times the mean of %3 requests").arg(requests.size()).arg(formatNumber(m_most / std::max(m_mean, 1e-12), 3), formatCount(m_mean)));
    update();
}

double RingView::radius() const { return 0.42 * (std::min(width(), height()) / 2.0 - kSide - 12); }
double RingView::room() const { return std::min(width(), height()) / 2.0 - kSide - 14 - radius(); }
double RingView::length(double requests) const { return room() * requests / m_most; }
double RingView::barLength(int device) const { return device >= 0 && device < static_cast<int>(m_requests.size()) ? length(static_cast<double>(m_requests[static_cast<std::size_t>(device)])) : 0; }
double RingView::meanLength() const { return length(m_mean); }

QPointF RingView::barMiddle(int device) const
{
    const double angle = 2 * std::numbers::pi * (device + 0.5) / static_cast<double>(m_requests.size()), from = radius() + barLength(device) / 2;
    return {width() / 2.0 + from * std::sin(angle), height() / 2.0 - from * std::cos(angle)};
}

QPainterPath RingView::bar(int device, double from, double to) const
{
    const double each = 360.0 / static_cast<double>(m_requests.size()), start = 90 - each * (device + 1 - kGap / 2), span = each * (1 - kGap);
    const auto box = [&](double r) { return QRectF(width() / 2.0 - r, height() / 2.0 - r, 2 * r, 2 * r); };
    QPainterPath path;
    path.arcMoveTo(box(to), start);
    path.arcTo(box(to), start, span);
    path.arcTo(box(from), start + span, -span);
    path.closeSubpath();
    return path;
}

QStringList RingView::hoverLines() const
{
    if (m_hovered < 0)
        return {};
    const auto requests = static_cast<double>(m_requests[static_cast<std::size_t>(m_hovered)]), hits = static_cast<double>(m_hits[static_cast<std::size_t>(m_hovered)]);
    QStringList lines{m_hovered == m_leaving ? tr("device %1, leaves").arg(m_hovered) : tr("device %1").arg(m_hovered), tr("%1 requests, %2 times the mean").arg(formatCount(requests), formatNumber(requests / std::max(m_mean, 1e-12), 3))};
    lines << tr("%1 hit").arg(formatPercent(requests > 0 ? hits / requests : 0));
    return lines;
}

void RingView::mouseMoveEvent(QMouseEvent* event)
{
    m_pointer = event->position();
    const QPointF from = m_pointer - QPointF(width() / 2.0, height() / 2.0);
    const double distance = std::hypot(from.x(), from.y());
    m_hovered = -1;
    if (!m_requests.empty() && distance > radius() - 12 && distance < radius() + room() + 14) {
        const double turn = std::atan2(from.x(), -from.y()) / (2 * std::numbers::pi);
        m_hovered = std::min(static_cast<int>((turn - std::floor(turn)) * static_cast<double>(m_requests.size())), static_cast<int>(m_requests.size()) - 1);
    }
    update();
}

void RingView::leaveEvent(QEvent*)
{
    m_hovered = -1;
    update();
}

void RingView::paintEvent(QPaintEvent*)
{
    QPainter painter(this);
    paintFigure(painter);
    drawHoverBox(painter, rect(), m_pointer, hoverLines());
}

void RingView::paintFigure(QPainter& painter) const
{
    const auto& theme = Theme::instance();
    painter.setRenderHint(QPainter::Antialiasing);
    painter.fillRect(rect(), theme.color(Ink::Panel));
    painter.setFont(Theme::smallFont(font()));
    painter.setPen(theme.color(Ink::MutedText));
    if (m_requests.empty()) {
        painter.drawText(rect().adjusted(12, 8, -12, -8), Qt::AlignCenter | Qt::TextWordWrap, accessibleDescription());
        return;
    }
    const double base = radius();
    for (int device = 0; device < static_cast<int>(m_requests.size()); ++device) {
        const double hits = length(static_cast<double>(m_hits[static_cast<std::size_t>(device)]));
        const QColor ink = theme.color(device == m_leaving ? Ink::Warning : Ink::Accent);
        painter.setPen(QPen(ink, 1));
        painter.drawPath(bar(device, base, base + std::max(barLength(device), 1.0)));
        painter.fillPath(bar(device, base, base + std::max(hits, 0.5)), ink);
        if (static_cast<int>(m_requests.size()) <= kNamed) {
            const double angle = 2 * std::numbers::pi * (device + 0.5) / static_cast<double>(m_requests.size()), at = base - 10;
            painter.setPen(theme.color(Ink::MutedText));
            painter.drawText(QRectF(width() / 2.0 + at * std::sin(angle) - 14, height() / 2.0 - at * std::cos(angle) - 8, 28, 16), Qt::AlignCenter, QString::number(device));
        }
    }
    painter.setBrush(Qt::NoBrush);
    painter.setPen(QPen(theme.color(Ink::Baseline), 1, Qt::DashLine));
    painter.drawEllipse(QPointF(width() / 2.0, height() / 2.0), base + meanLength(), base + meanLength());
    painter.setPen(theme.color(Ink::MutedText));
    painter.drawText(QRectF(0, height() - 18, width(), 16), Qt::AlignCenter, tr("requests by device, filled: hits; dashed: the mean"));
}

QString RingView::figureCsv() const
{
    QString text = QStringLiteral("device,requests,hits\n");
    for (std::size_t device = 0; device < m_requests.size(); ++device)
        text += QStringLiteral("%1,%2,%3\n").arg(device).arg(m_requests[device]).arg(m_hits[device]);
    return text;
}

} // namespace tamis::views
