// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/hierarchy/level_chain.h"

#include "views/common/theme.h"
#include "views/hierarchy/time_words.h"

#include <QPainter>

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
constexpr double kSide = 10, kGap = 92, kPad = 10, kBar = 12;
QString words(const std::string& text) { return QString::fromStdString(text); }
} // namespace

LevelChain::LevelChain(QWidget* parent) : QWidget(parent)
{
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
    connect(&Theme::instance(), &Theme::changed, this, qOverload<>(&QWidget::update));
    setReport(nullptr);
}

void LevelChain::setReport(std::shared_ptr<const report::HierarchyReport> report)
{
    m_report = std::move(report);
    QStringList said;
    for (int place = 0; m_report && place < places(); ++place)
        said << (place + 1 < places() ? tr("%1 serves %2 of the reads").arg(words(m_report->levels[static_cast<std::size_t>(place)].name), formatPercent(share(place))) : tr("%1 are recomputed").arg(formatPercent(share(place))));
    setAccessibleDescription(said.isEmpty() ? tr("Nothing is simulated yet") : said.join(QStringLiteral("; ")));
    update();
}

int LevelChain::places() const { return m_report ? static_cast<int>(m_report->levels.size()) + 1 : 0; }

double LevelChain::share(int place) const
{
    return place + 1 < places() ? m_report->levels[static_cast<std::size_t>(place)].hitRatio : m_report->reads > 0 ? static_cast<double>(m_report->misses) / static_cast<double>(m_report->reads) : 0;
}

QRectF LevelChain::boxRect(int place) const
{
    if (place < 0 || place >= places())
        return {};
    const double each = (width() - 2 * kSide - (places() - 1) * kGap) / places();
    return {kSide + place * (each + kGap), 8, each, height() - 16.0};
}

QRectF LevelChain::barRect(int place) const
{
    const QRectF box = boxRect(place);
    if (box.isEmpty() || !std::isfinite(share(place)))
        return {};
    return {box.left() + kPad, box.bottom() - kPad - kBar, (box.width() - 2 * kPad) * std::clamp(share(place), 0.0, 1.0), kBar};
}

void LevelChain::paintEvent(QPaintEvent*)
{
    QPainter painter(this);
    paintFigure(painter);
}

void LevelChain::paintBox(QPainter& painter, int place) const
{
    const auto& theme = Theme::instance();
    const bool last = place + 1 == places();
    const QRectF box = boxRect(place), inside = box.adjusted(kPad, kPad, -kPad, -kPad);
    painter.setPen(QPen(theme.color(Ink::Border), 1));
    painter.setBrush(theme.color(Ink::Window));
    painter.drawRoundedRect(box, 5, 5);
    const QFont plain = font(), small = Theme::smallFont(plain), heading = Theme::headingFont(plain);
    double y = inside.top();
    const auto line = [&](const QString& text, const QFont& font, Ink ink) {
        painter.setFont(font);
        painter.setPen(theme.color(ink));
        const QFontMetricsF metrics(font);
        painter.drawText(QRectF(inside.left(), y, inside.width(), metrics.height()), Qt::AlignLeft | Qt::AlignVCenter, metrics.elidedText(text, Qt::ElideRight, inside.width()));
        y += metrics.height() + 1;
    };
    if (last) {
        line(tr("Recomputing"), plain, Ink::Text);
        line(m_report->encodeMeasured ? tr("as the model took here") : tr("as given"), small, Ink::MutedText);
        line(QString(), small, Ink::MutedText);
        line(formatPercent(share(place)), heading, Ink::Text);
        line(formatNanoseconds(m_report->encodeNs), small, Ink::MutedText);
    } else {
        const auto& level = m_report->levels[static_cast<std::size_t>(place)];
        line(QStringLiteral("%1 · %2").arg(words(level.name), words(level.place)), plain, Ink::Text);
        line(QStringLiteral("%1 %2").arg(formatBytes(static_cast<double>(level.capacity)), words(level.policy.substr(6))), small, Ink::MutedText);
        line(tr("%1 held").arg(formatCount(static_cast<double>(level.held))), small, Ink::MutedText);
        line(formatPercent(level.hitRatio), heading, Ink::Text);
        line(level.pays ? tr("a hit takes %1").arg(formatNanoseconds(level.hitNs)) : tr("%1: does not pay").arg(formatNanoseconds(level.hitNs)), small, level.pays ? Ink::MutedText : Ink::Warning);
    }
    const QRectF bar = barRect(place);
    painter.fillRect(QRectF(inside.left(), bar.top(), inside.width(), kBar), theme.color(Ink::Grid));
    painter.fillRect(bar, last ? theme.color(Ink::Baseline) : theme.seriesColor(place));
}

/// What moved into the box on the left from the right, and back.
void LevelChain::paintGap(QPainter& painter, int place) const
{
    const auto& theme = Theme::instance();
    const QRectF left = boxRect(place), right = boxRect(place + 1);
    const auto& level = m_report->levels[static_cast<std::size_t>(place)];
    const bool last = place + 2 == places();
    const double up = static_cast<double>(level.fillBytes);
    const double down = last ? static_cast<double>(m_report->backingBytes) : static_cast<double>(m_report->levels[static_cast<std::size_t>(place) + 1].movedDownBytes + m_report->levels[static_cast<std::size_t>(place) + 1].writeBackBytes);
    const QFont small = Theme::smallFont(font());
    const QFontMetricsF metrics(small);
    painter.setFont(small);
    const auto arrow = [&](double y, bool towardsLeft, double bytes) {
        const double from = left.right() + 6, to = right.left() - 6, tip = towardsLeft ? from : to, back = towardsLeft ? 6 : -6;
        painter.setPen(QPen(theme.color(bytes > 0 ? Ink::Text : Ink::Grid), 1.5));
        painter.drawLine(QPointF(from, y), QPointF(to, y));
        painter.drawLine(QPointF(tip, y), QPointF(tip + back, y - 4));
        painter.drawLine(QPointF(tip, y), QPointF(tip + back, y + 4));
        painter.setPen(theme.color(Ink::MutedText));
        painter.drawText(QRectF(left.right(), y - metrics.height() - 3, kGap, metrics.height()), Qt::AlignCenter, formatBytes(bytes));
    };
    arrow(left.center().y() - 12, true, up);
    arrow(left.center().y() + 30, false, down);
}

void LevelChain::paintFigure(QPainter& painter) const
{
    const auto& theme = Theme::instance();
    painter.setRenderHint(QPainter::Antialiasing);
    painter.fillRect(rect(), theme.color(Ink::Panel));
    if (!m_report) {
        painter.setPen(theme.color(Ink::MutedText));
        painter.setFont(Theme::smallFont(font()));
        painter.drawText(rect().adjusted(12, 8, -12, -8), Qt::AlignCenter | Qt::TextWordWrap, tr("Levels are shown here once there are requests: a trace, or frames and a vision model."));
        return;
    }
    for (int place = 0; place < places(); ++place) {
        paintBox(painter, place);
        if (place + 1 < places())
            paintGap(painter, place);
    }
}

QString LevelChain::figureCsv() const
{
    QString text = QStringLiteral("level,policy,capacity [bytes],share of reads,hit time [ns],time [ns],energy [pJ],read [bytes],filled [bytes],moved down [bytes],written back [bytes],stored [bytes],evictions,dirty evictions\n");
    if (!m_report)
        return text;
    for (const auto& level : m_report->levels) {
        QStringList row{words(level.name), words(level.policy), QString::number(level.capacity)};
        for (const double value : {level.hitRatio, level.hitNs, level.spentNs, level.spentPj})
            row << QString::number(value, 'g', 9);
        for (const std::uint64_t value : {level.readBytes, level.fillBytes, level.movedDownBytes, level.writeBackBytes, level.storeBytes, level.evictions, level.dirtyEvictions})
            row << QString::number(value);
        text += row.join(QLatin1Char(',')) + QLatin1Char('\n');
    }
    return text + QStringLiteral("recomputing,,,%1,%2,%3,%4,,,,,,,\n").arg(share(places() - 1), 0, 'g', 9).arg(m_report->encodeNs, 0, 'g', 9).arg(m_report->recomputeNs, 0, 'g', 9).arg(m_report->recomputePj, 0, 'g', 9);
}

} // namespace tamis::views
