// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/encoder/text_latent_view.h"

#include "views/common/theme.h"

#include <QPainter>
#include <QWheelEvent>

#include <algorithm>
#include <cmath>
#include <utility>

namespace tamis::views {
namespace {
constexpr double kPadding = 2, kLineGap = 6; ///< around a word; between lines
}

TextLatentView::TextLatentView(QWidget* parent) : LatentSampleView(parent)
{
    setObjectName(QStringLiteral("textLatents"));
    setAccessibleName(tr("Where a latent fires in the text"));
}

QString TextLatentView::word(int at) const
{
    const auto& words = sample()->words;
    const QString whole = static_cast<std::size_t>(at) < words.size() ? QString::fromStdString(words[static_cast<std::size_t>(at)]) : QString::number(at);
    const qsizetype first = std::ranges::find_if(whole, [](QChar c) { return c != QLatin1Char(' '); }) - whole.begin();
    return first == whole.size() ? QStringLiteral("␣").repeated(std::max<qsizetype>(whole.size(), 1)) : whole.mid(first);
}

QString TextLatentView::tokenTitle(int at) const
{
    return tr("“%1”, %2").arg(word(at), QString::fromStdString(report::placeName(*places(), sample()->first + at)));
}

void TextLatentView::arrange()
{
    m_flow.clear();
    m_overflow = 0;
    if (!sample())
        return;
    const QFontMetricsF metrics(wordFont());
    const QSizeF size = room().size();
    const double line = metrics.height() + 2 + kLineGap, space = metrics.horizontalAdvance(QLatin1Char(' ')) + 1;
    double x = 0, y = 0;
    for (int at = 0; at < tokens(); ++at) {
        const bool apart = static_cast<std::size_t>(at) < sample()->words.size() && sample()->words[static_cast<std::size_t>(at)].starts_with(' ');
        const double width = std::min(metrics.horizontalAdvance(word(at)) + kPadding, size.width());
        const double gap = apart && x > 0 ? space : 0;
        if (x > 0 && x + gap + width > size.width()) {
            x = 0;
            y += line;
        } else {
            x += gap;
        }
        m_flow.emplace_back(x, y, width, line - kLineGap);
        x += width + 1;
        if (word(at).endsWith(QStringLiteral("↵"))) { // as in the text
            x = 0;
            y += line;
        }
    }
    const double height = m_flow.empty() ? 0 : m_flow.back().bottom();
    m_overflow = std::max(height - size.height(), 0.0);
    m_scroll = std::clamp(m_scroll, 0.0, m_overflow);
    if (current() >= 0 && std::exchange(m_followed, current()) != current()) {
        const QRectF place = m_flow[static_cast<std::size_t>(current())];
        const double highest = std::min(place.top(), m_overflow); // a view lower than a line shows the line's top
        m_scroll = std::clamp(m_scroll, std::min(std::max(place.bottom() - size.height(), 0.0), highest), highest);
    }
}

QRectF TextLatentView::tokenRect(int at) const
{
    if (at < 0 || static_cast<std::size_t>(at) >= m_flow.size())
        return {};
    const QRectF area = room(), place = m_flow[static_cast<std::size_t>(at)].translated(area.left(), area.top() - m_scroll);
    return place.top() >= area.top() - 0.5 && place.bottom() <= area.bottom() + 0.5 ? place : QRectF();
}

void TextLatentView::drawGround(QPainter& painter) const
{
    if (m_overflow <= 0)
        return;
    const auto& theme = Theme::instance();
    const QRectF area = room();
    const double whole = area.height() + m_overflow;
    painter.fillRect(QRectF(area.right() + 5, area.top(), 3, area.height()), theme.color(Ink::Grid));
    painter.fillRect(QRectF(area.right() + 5, area.top() + area.height() * m_scroll / whole, 3, area.height() * area.height() / whole), theme.color(Ink::Outline));
}

void TextLatentView::drawToken(QPainter& painter, int at) const
{
    const QRectF place = tokenRect(at);
    if (place.isEmpty())
        return;
    const auto& theme = Theme::instance();
    const QColor color = tokenColor(at);
    if (color.isValid())
        painter.fillRect(place, color);
    else // how far it goes
        painter.fillRect(QRectF(place.left(), place.bottom() - 1, place.width(), 1), theme.color(Ink::Grid));
}

void TextLatentView::drawWords(QPainter& painter, int at) const
{
    const QRectF place = tokenRect(at);
    if (place.isEmpty())
        return;
    const auto& theme = Theme::instance();
    const QColor color = tokenColor(at);
    painter.save();
    painter.setFont(wordFont());
    painter.setPen(color.isValid() ? theme.textOn(color) : theme.color(Ink::Text));
    painter.drawText(place, Qt::AlignCenter, QFontMetricsF(wordFont()).elidedText(word(at), Qt::ElideRight, place.width()));
    painter.restore();
}

int TextLatentView::step(int at, int key) const
{
    const int last = tokens() - 1;
    if (last < 0 || m_flow.size() != static_cast<std::size_t>(tokens()))
        return -1;
    const QRectF from = m_flow[static_cast<std::size_t>(std::clamp(at, 0, last))];
    const auto line = [&](bool below) { // the nearest token of the next line
        double top = from.top();
        int nearest = at;
        double distance = 0;
        for (int i = at; i >= 0 && i <= last; i += below ? 1 : -1) {
            const QRectF& place = m_flow[static_cast<std::size_t>(i)];
            if (place.top() == from.top())
                continue;
            if (top == from.top())
                top = place.top();
            if (place.top() != top)
                break;
            if (const double away = std::abs(place.center().x() - from.center().x()); nearest == at || away < distance) {
                nearest = i;
                distance = away;
            }
        }
        return nearest;
    };
    switch (key) {
    case Qt::Key_Left: return std::max(at - 1, 0);
    case Qt::Key_Right: return std::min(at + 1, last);
    case Qt::Key_Up: return line(false);
    case Qt::Key_Down: return line(true);
    case Qt::Key_Home: return 0;
    case Qt::Key_End: return last;
    default: return -1;
    }
}

void TextLatentView::wheelEvent(QWheelEvent* event)
{
    if (m_overflow <= 0)
        return LatentSampleView::wheelEvent(event);
    m_scroll = std::clamp(m_scroll - event->angleDelta().y() / 120.0 * 3 * QFontMetricsF(wordFont()).height(), 0.0, m_overflow);
    update();
    event->accept();
}

void TextLatentView::changeEvent(QEvent* event)
{
    LatentSampleView::changeEvent(event);
    if (event->type() == QEvent::FontChange)
        arrange();
}

} // namespace tamis::views
