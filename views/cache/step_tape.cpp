// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/cache/step_tape.h"

#include "views/common/theme.h"

#include <QMouseEvent>
#include <QPainter>

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
constexpr double kWidth = 84; ///< of a request
} // namespace

StepTape::StepTape(QWidget* parent) : QWidget(parent)
{
    setObjectName(QStringLiteral("stepTape"));
    setAccessibleName(tr("Requests around the present one"));
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
    connect(&Theme::instance(), &Theme::changed, this, qOverload<>(&QWidget::update));
}

void StepTape::show(const StepPlayback* playback)
{
    m_playback = playback;
    update();
}

QSize StepTape::minimumSizeHint() const { return {240, fontMetrics().height() * 2 + 10}; }

QRectF StepTape::requestRect(int step) const
{
    if (!m_playback || step < 0 || step >= m_playback->count())
        return {};
    const double left = width() / 2.0 - kWidth / 2 + (step - (m_playback->position() - 1)) * kWidth; // the last request in the middle
    if (left + kWidth < 0 || left > width())
        return {};
    return {left + 1, 1, kWidth - 2, height() - 2.0};
}

void StepTape::paintEvent(QPaintEvent*)
{
    const Theme& theme = Theme::instance();
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.fillRect(rect(), theme.color(Ink::Panel));
    if (!m_playback)
        return;
    painter.setFont(Theme::smallFont(font()));
    const QFontMetricsF metrics(painter.font());
    const int reach = static_cast<int>(std::ceil(width() / kWidth / 2)) + 1, now = m_playback->position() - 1;
    for (int step = std::max(0, now - reach); step <= std::min(m_playback->count() - 1, now + reach); ++step) {
        const QRectF at = requestRect(step);
        if (at.isEmpty())
            continue;
        const report::CacheStep& one = m_playback->report()->steps[static_cast<std::size_t>(step)];
        painter.setPen(QPen(theme.color(step == now ? Ink::Text : Ink::Border), step == now ? 2.5 : 1));
        painter.setBrush(theme.color(step == now ? Ink::Selection : Ink::Window));
        painter.drawRoundedRect(at, 3, 3);
        painter.setPen(theme.color(step <= now ? Ink::Text : Ink::MutedText));
        const QRectF upper = at.adjusted(3, 2, -3, -at.height() / 2);
        painter.drawText(upper, Qt::AlignCenter, metrics.elidedText(m_playback->nameOf(one.object), Qt::ElideRight, upper.width()));
        painter.setPen(theme.color(one.hit ? Ink::Good : Ink::MutedText));
        painter.drawText(at.adjusted(3, at.height() / 2, -3, -2), Qt::AlignCenter, one.hit ? tr("hit") : tr("miss"));
    }
}

void StepTape::mousePressEvent(QMouseEvent* event)
{
    if (!m_playback)
        return;
    for (int step = 0; step < m_playback->count(); ++step)
        if (requestRect(step).contains(event->position())) {
            emit stepClicked(step + 1);
            return;
        }
}

} // namespace tamis::views
