// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/attention/attention_lens.h"

#include "views/common/figure_export.h"
#include "views/common/number_format.h"
#include "views/common/theme.h"

#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
constexpr double kGap = 14;
constexpr double kDecades = 4;
constexpr double kMostOpaque = 0.82; ///< of a patch that gets the largest weight

/// 0..1 on the colour scale.
double along(double t, ColorScale scale)
{
    t = std::clamp(t, 0.0, 1.0);
    return scale == ColorScale::Linear ? t : scale == ColorScale::Root ? std::sqrt(t) : std::max(0.0, 1 + std::log10(std::max(t, 1e-30)) / kDecades);
}
} // namespace

AttentionLens::AttentionLens(QWidget* parent) : QWidget(parent)
{
    setMouseTracking(true);
    setFocusPolicy(Qt::StrongFocus);
    setAccessibleName(tr("Where the query looks"));
    connect(&Theme::instance(), &Theme::changed, this, qOverload<>(&QWidget::update));
}

bool AttentionLens::isEmpty() const noexcept { return m_grids[0].tokens <= 0 || !m_grids[0].values || !m_grids[1].values; }

void AttentionLens::setLayout(const Layout& layout, const QStringList& names)
{
    if (layout == m_layout && names == m_names)
        return;
    m_layout = layout;
    m_names = names;
    m_firstShown = 0;
    flowText();
    update();
}

void AttentionLens::setPhoto(const QImage& photo)
{
    m_photo = photo;
    update();
}

void AttentionLens::setMaps(const AttentionGrid& exact, const AttentionGrid& approximate, const QString& approximateTitle)
{
    const bool sameSize = exact.tokens == m_grids[0].tokens;
    m_grids = {exact, approximate};
    m_approximateTitle = approximateTitle;
    if (!sameSize)
        m_query = -1;
    if (!sameSize || m_flow.empty())
        flowText();
    measure();
    update();
}

void AttentionLens::setScale(ColorScale scale)
{
    m_scale = scale;
    update();
}

void AttentionLens::setQuery(int query)
{
    query = query >= 0 && query < m_grids[0].tokens ? query : -1;
    if (query == m_query)
        return;
    m_query = query;
    measure();
    if (!isPhoto())
        flowText();
    setAccessibleDescription(m_query < 0 ? QString() : tr("Query token %1").arg(m_query));
    update();
}

QRectF AttentionLens::half(bool approximate) const
{
    const double line = QFontMetricsF(Theme::smallFont(font())).height();
    if (isPhoto()) {
        const double w = (width() - 3 * kGap) / 2;
        return {kGap + (approximate ? w + kGap : 0), line + 10, w, height() - line - 12.0};
    }
    const double h = (height() - 2 * (line + 8)) / 2;
    return {8, (approximate ? 1 : 0) * (h + line + 8) + line + 6, width() - 16.0, h};
}

QRectF AttentionLens::picture(bool approximate) const
{
    const QRectF room = half(approximate);
    const double line = QFontMetricsF(Theme::smallFont(font())).height() + 4;
    const double h = std::max(room.height() - (m_layout.prefixTokens > 0 ? line : 0), 20.0);
    const double cell = std::min(room.width() / std::max(m_layout.gridWidth, 1), h / std::max(m_layout.gridHeight, 1));
    const QSizeF size(cell * m_layout.gridWidth, cell * m_layout.gridHeight);
    return {room.left() + (room.width() - size.width()) / 2, room.top(), size.width(), size.height()};
}

/// Tokens side by side, line by line; of a text too long for the room, a window that ends some lines behind the query.
void AttentionLens::flowText()
{
    m_flow.clear();
    const int tokens = m_grids[0].tokens;
    if (isPhoto() || tokens <= 0)
        return;
    const QFontMetricsF metrics(Theme::smallFont(font()));
    const QRectF room(QPointF(0, 0), half(false).size());
    const double line = metrics.height() + 3;
    std::vector<QRectF> all;
    double x = 0, y = 0;
    for (int token = 0; token < tokens; ++token) {
        const double w = std::min(metrics.horizontalAdvance(token < m_names.size() ? m_names[token] : QString::number(token)) + 6, room.width());
        if (x + w > room.width() && x > 0) {
            x = 0;
            y += line;
        }
        all.emplace_back(x, y, w - 1, line - 1);
        x += w;
    }
    m_firstShown = 0;
    double top = 0;
    if (y + line > room.height() && m_query >= 0) { // scroll so that the query's line is the last but one
        const double wanted = all[static_cast<std::size_t>(m_query)].top() - room.height() + 2 * line;
        while (m_firstShown < tokens && all[static_cast<std::size_t>(m_firstShown)].top() < std::min(wanted, y + line - room.height()))
            ++m_firstShown;
        top = all[static_cast<std::size_t>(std::min(m_firstShown, tokens - 1))].top();
    }
    for (std::size_t token = static_cast<std::size_t>(m_firstShown); token < all.size(); ++token) {
        const QRectF place = all[token].translated(0, -top);
        if (place.bottom() > room.height())
            break;
        m_flow.push_back(place);
    }
}

QRectF AttentionLens::tokenRect(bool approximate, int token) const
{
    if (isEmpty() || token < 0 || token >= m_grids[0].tokens)
        return {};
    if (isPhoto()) {
        const int patch = token - m_layout.prefixTokens;
        if (patch < 0 || patch >= m_layout.gridHeight * m_layout.gridWidth)
            return {};
        const QRectF photo = picture(approximate);
        const double w = photo.width() / m_layout.gridWidth, h = photo.height() / m_layout.gridHeight;
        return {photo.left() + patch % m_layout.gridWidth * w, photo.top() + patch / m_layout.gridWidth * h, w, h};
    }
    const int at = token - m_firstShown;
    return at >= 0 && at < static_cast<int>(m_flow.size()) ? m_flow[static_cast<std::size_t>(at)].translated(half(approximate).topLeft()) : QRectF();
}

int AttentionLens::tokenAt(const QPointF& position) const
{
    for (const bool approximate : {false, true})
        for (int token = 0; token < m_grids[0].tokens; ++token)
            if (tokenRect(approximate, token).contains(position))
                return token;
    return -1;
}

double AttentionLens::weight(bool approximate, int token) const
{
    const auto& grid = m_grids[approximate ? 1 : 0];
    if (m_query < 0 || token < 0 || token >= grid.tokens || (grid.causal && token > m_query))
        return NAN;
    return (*grid.values)[static_cast<std::size_t>(m_query * grid.tokens + token)];
}

void AttentionLens::measure()
{
    m_most = 1e-9;
    for (const bool approximate : {false, true})
        for (int token = 0; token < m_grids[0].tokens && !isEmpty(); ++token)
            if (const double w = weight(approximate, token); std::isfinite(w) && w > m_most)
                m_most = w;
}

QColor AttentionLens::tokenColor(bool approximate, int token) const
{
    const auto& grid = m_grids[approximate ? 1 : 0];
    if (isEmpty() || m_query < 0 || token < 0 || token >= grid.tokens || (grid.causal && token > m_query))
        return {};
    const double w = weight(approximate, token);
    if (!std::isfinite(w))
        return AttentionMapView::noNumberColor();
    const double t = along(w / m_most, m_scale);
    QColor color = Theme::sequentialColor(t);
    if (isPhoto())
        color.setAlphaF(static_cast<float>(0.25 + (kMostOpaque - 0.25) * t));
    return color;
}

void AttentionLens::paintEvent(QPaintEvent*)
{
    QPainter painter(this);
    draw(painter, true);
}

void AttentionLens::paintFigure(QPainter& painter) const { draw(painter, false); }

void AttentionLens::draw(QPainter& painter, bool interactive) const
{
    const auto& theme = Theme::instance();
    painter.fillRect(rect(), theme.color(Ink::Panel));
    painter.setFont(Theme::smallFont(font()));
    const double line = QFontMetricsF(painter.font()).height();
    if (isEmpty()) {
        painter.setPen(theme.color(Ink::MutedText));
        painter.drawText(rect().adjusted(12, 12, -12, -12), Qt::AlignCenter | Qt::TextWordWrap, tr("Where a query looks is shown here."));
        return;
    }
    for (const bool approximate : {false, true}) {
        const QRectF room = half(approximate);
        QString title = approximate ? m_approximateTitle : tr("exact");
        if (m_query < 0)
            title = approximate ? title : tr("Point at a token to see where it looks");
        else if (!approximate)
            title = isPhoto() ? tr("query %1, exact").arg(m_query) : tr("query %1 '%2', exact").arg(m_query).arg(m_query < m_names.size() ? m_names[m_query] : QString());
        painter.setPen(theme.color(Ink::Text));
        painter.drawText(QRectF(room.left(), room.top() - line - 4, room.width(), line), Qt::AlignLeft | Qt::AlignVCenter,
                         QFontMetricsF(painter.font()).elidedText(title, Qt::ElideRight, room.width()));
        isPhoto() ? drawPhoto(painter, approximate) : drawText(painter, approximate);
    }
    if (interactive && hasFocus()) {
        painter.setBrush(Qt::NoBrush);
        painter.setPen(QPen(theme.color(Ink::Accent), 1));
        painter.drawRect(QRectF(rect()).adjusted(0.5, 0.5, -0.5, -0.5));
    }
}

void AttentionLens::drawPhoto(QPainter& painter, bool approximate) const
{
    const auto& theme = Theme::instance();
    const QRectF place = picture(approximate);
    painter.save();
    painter.setRenderHint(QPainter::SmoothPixmapTransform);
    if (m_photo.isNull())
        painter.fillRect(place, theme.color(Ink::Grid));
    else
        painter.drawImage(place, m_photo);
    const int patches = m_layout.gridHeight * m_layout.gridWidth;
    if (m_query >= 0)
        for (int patch = 0; patch < patches; ++patch)
            painter.fillRect(tokenRect(approximate, patch + m_layout.prefixTokens), tokenColor(approximate, patch + m_layout.prefixTokens));
    const QRectF chosen = tokenRect(approximate, m_query);
    if (!chosen.isEmpty()) {
        painter.setBrush(Qt::NoBrush);
        painter.setPen(QPen(theme.color(Ink::Panel), 4));
        painter.drawRect(chosen);
        painter.setPen(QPen(theme.color(Ink::Accent), 2));
        painter.drawRect(chosen);
    }
    painter.restore();
    if (m_layout.prefixTokens <= 0)
        return;
    QStringList words;
    for (int token = 0; token < m_layout.prefixTokens && m_query >= 0; ++token)
        words << QStringLiteral("%1 %2").arg(token < m_names.size() ? m_names[token] : tr("token %1").arg(token), formatNumber(weight(approximate, token), 3));
    painter.setPen(theme.color(Ink::MutedText));
    const QFontMetricsF metrics(painter.font());
    painter.drawText(QRectF(half(approximate).left(), place.bottom() + 3, half(approximate).width(), metrics.height()), Qt::AlignHCenter | Qt::AlignVCenter,
                     metrics.elidedText(words.join(QStringLiteral(", ")), Qt::ElideRight, half(approximate).width()));
}

void AttentionLens::drawText(QPainter& painter, bool approximate) const
{
    const auto& theme = Theme::instance();
    for (std::size_t i = 0; i < m_flow.size(); ++i) {
        const int token = m_firstShown + static_cast<int>(i);
        const QRectF place = tokenRect(approximate, token);
        const QColor ground = tokenColor(approximate, token);
        if (ground.isValid())
            painter.fillRect(place, ground);
        painter.setPen(ground.isValid() ? theme.textOn(ground) : theme.color(m_query >= 0 ? Ink::MutedText : Ink::Text));
        painter.drawText(place, Qt::AlignCenter, token < m_names.size() ? m_names[token] : QString::number(token));
        if (token == m_query) {
            painter.setBrush(Qt::NoBrush);
            painter.setPen(QPen(theme.color(Ink::Accent), 2));
            painter.drawRect(place.adjusted(1, 1, -1, -1));
        }
    }
}

void AttentionLens::mouseMoveEvent(QMouseEvent* event)
{
    const int token = tokenAt(event->position());
    setCursor(token >= 0 ? Qt::PointingHandCursor : Qt::ArrowCursor);
    emit queryPointed(token);
}

void AttentionLens::mousePressEvent(QMouseEvent* event)
{
    if (event->button() == Qt::LeftButton)
        if (const int token = tokenAt(event->position()); token >= 0)
            emit queryChosen(token);
}

void AttentionLens::leaveEvent(QEvent*) { emit queryPointed(-1); }

void AttentionLens::keyPressEvent(QKeyEvent* event)
{
    const int across = isPhoto() ? std::max(m_layout.gridWidth, 1) : 1, last = m_grids[0].tokens - 1;
    const auto walk = [&](int by) {
        if (last >= 0)
            emit queryChosen(m_query < 0 ? 0 : std::clamp(m_query + by, 0, last));
    };
    switch (event->key()) {
    case Qt::Key_Left: return walk(-1);
    case Qt::Key_Right: return walk(1);
    case Qt::Key_Up: return walk(-across);
    case Qt::Key_Down: return walk(across);
    case Qt::Key_Escape: emit queryChosen(-1); return;
    default: QWidget::keyPressEvent(event);
    }
}

void AttentionLens::resizeEvent(QResizeEvent* event)
{
    QWidget::resizeEvent(event);
    flowText();
}

void AttentionLens::focusInEvent(QFocusEvent* event)
{
    QWidget::focusInEvent(event);
    update();
}

void AttentionLens::focusOutEvent(QFocusEvent* event)
{
    QWidget::focusOutEvent(event);
    update();
}

QString AttentionLens::figureCsv() const
{
    QString text = QStringLiteral("query,key,key token,exact,approximate\n");
    for (int token = 0; token < m_grids[0].tokens && m_query >= 0; ++token)
        if (!std::isnan(weight(false, token)))
            text += QStringLiteral("%1,%2,%3,%4,%5\n").arg(m_query).arg(token).arg(token < m_names.size() ? csvField(m_names[token]) : QString(),
                                                         QString::number(weight(false, token), 'g', 9), QString::number(weight(true, token), 'g', 9));
    return text;
}

} // namespace tamis::views
