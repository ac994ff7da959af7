// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/attention/attention_map_view.h"

#include "views/common/figure_export.h"
#include "views/common/number_format.h"
#include "views/common/theme.h"

#include <QApplication>
#include <QKeyEvent>
#include <QMouseEvent>

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
constexpr double kDecades = 4;
constexpr double kLeastTokens = 4; ///< across a fully zoomed view
constexpr double kWheelStep = 1.25;
constexpr double kDragPixels = 4;
constexpr double kMostNameRoom = 84; ///< pixels
} // namespace

AttentionMapView::AttentionMapView(QWidget* parent) : QWidget(parent)
{
    setMouseTracking(true);
    setFocusPolicy(Qt::StrongFocus);
    m_emptyText = tr("Nothing to show yet.");
    connect(&Theme::instance(), &Theme::changed, this, [this] { rebuildImage(); });
}

bool AttentionMapView::isEmpty() const noexcept
{
    return m_grid.tokens <= 0 || !m_grid.values || m_grid.values->size() != static_cast<std::size_t>(m_grid.tokens) * static_cast<std::size_t>(m_grid.tokens);
}

void AttentionMapView::setTitle(const QString& title, const QString& valueTitle)
{
    m_title = title;
    m_valueTitle = valueTitle;
    setAccessibleName(title);
    update();
}

void AttentionMapView::setGrid(const AttentionGrid& grid)
{
    const bool sameSize = grid.tokens == m_grid.tokens;
    m_grid = grid;
    if (!sameSize) {
        m_view = QRectF(0, 0, m_grid.tokens, m_grid.tokens);
        m_pointed.reset();
        m_chosen = -1;
    }
    rebuildImage();
    setAccessibleDescription(isEmpty() ? m_emptyText : tr("%1 queries by %1 keys, colours up to %2").arg(m_grid.tokens).arg(formatNumber(m_grid.most, 3)));
}

void AttentionMapView::setTokenNames(const QStringList& names)
{
    m_names = names;
    update();
}

void AttentionMapView::setNamedAxes(bool named)
{
    m_namedAxes = named;
    update();
}

double AttentionMapView::nameRoom() const
{
    if (!namesAxes())
        return 0;
    const QFontMetricsF metrics(Theme::smallFont(font()));
    double widest = 0;
    for (const QString& name : m_names)
        widest = std::max(widest, metrics.horizontalAdvance(name));
    return std::min({widest + 6, kMostNameRoom, 0.2 * width()});
}

void AttentionMapView::setScale(ColorScale scale)
{
    m_scale = scale;
    rebuildImage();
}

void AttentionMapView::setEmptyText(const QString& text)
{
    m_emptyText = text;
    update();
}

void AttentionMapView::setView(const QRectF& tokens)
{
    if (isEmpty())
        return;
    const double side = std::clamp(tokens.width(), std::min(kLeastTokens, static_cast<double>(m_grid.tokens)), static_cast<double>(m_grid.tokens));
    const double most = m_grid.tokens - side;
    m_view = QRectF(std::clamp(tokens.left(), 0.0, most), std::clamp(tokens.top(), 0.0, most), side, side);
    update();
}

void AttentionMapView::setPointed(std::optional<TokenPair> pair)
{
    if (pair && (isEmpty() || pair->query < 0 || pair->key < 0 || pair->query >= m_grid.tokens || pair->key >= m_grid.tokens))
        pair.reset();
    if (pair == m_pointed)
        return;
    m_pointed = pair;
    update();
}

void AttentionMapView::setChosenQuery(int query)
{
    m_chosen = query >= 0 && query < m_grid.tokens ? query : -1;
    update();
}

std::optional<double> AttentionMapView::value(TokenPair pair) const
{
    if (isEmpty() || pair.query < 0 || pair.key < 0 || pair.query >= m_grid.tokens || pair.key >= m_grid.tokens || (m_grid.causal && pair.key > pair.query))
        return std::nullopt;
    return (*m_grid.values)[static_cast<std::size_t>(pair.query * m_grid.tokens + pair.key)];
}

QString AttentionMapView::tokenName(int token) const
{
    return token >= 0 && token < m_names.size() ? QStringLiteral("%1 %2").arg(token).arg(m_names[token]) : QString::number(token);
}

QStringList AttentionMapView::hoverLines() const
{
    if (!m_pointed || isEmpty())
        return {};
    const auto shown = value(*m_pointed);
    return {tr("query %1").arg(tokenName(m_pointed->query)), tr("key %1").arg(tokenName(m_pointed->key)),
            QStringLiteral("%1  %2").arg(m_valueTitle, !shown                  ? tr("not seen: the key comes after the query")
                                                 : std::isfinite(*shown) ? formatNumber(*shown, 4)
                                                                         : tr("no finite number"))};
}

double AttentionMapView::position(double value) const
{
    const double t = std::min(std::abs(value) / (m_grid.most > 0 ? m_grid.most : 1), 1.0);
    const double magnitude = m_scale == ColorScale::Linear ? t : m_scale == ColorScale::Root ? std::sqrt(t) : std::max(0.0, 1 + std::log10(std::max(t, 1e-30)) / kDecades);
    return m_grid.signedValues ? 0.5 + std::copysign(magnitude / 2, value) : magnitude;
}

double AttentionMapView::valueAt(double position) const
{
    const double magnitude = m_grid.signedValues ? std::abs(2 * position - 1) : position;
    const double t = m_scale == ColorScale::Linear ? magnitude : m_scale == ColorScale::Root ? magnitude * magnitude
                     : magnitude > 0                ? std::pow(10.0, (magnitude - 1) * kDecades)
                                                    : 0;
    return (m_grid.signedValues && position < 0.5 ? -1 : 1) * t * m_grid.most;
}

QColor AttentionMapView::colorOf(double value) const
{
    if (!std::isfinite(value))
        return noNumberColor();
    return m_grid.signedValues ? Theme::instance().divergingColor(position(value)) : Theme::sequentialColor(position(value));
}

/// Reddish purple: viridis is never red, the diverging scale runs from blue to orange.
QColor AttentionMapView::noNumberColor() { return Theme::instance().seriesColor(3); }

/// One pixel a cell, colours from a table of 256.
void AttentionMapView::rebuildImage()
{
    update();
    if (isEmpty()) {
        m_image = {};
        return;
    }
    std::array<QRgb, 256> table{};
    for (std::size_t i = 0; i < table.size(); ++i) {
        const double t = static_cast<double>(i) / 255;
        table[i] = (m_grid.signedValues ? Theme::instance().divergingColor(t) : Theme::sequentialColor(t)).rgb();
    }
    const QRgb unseen = Theme::instance().color(Ink::Panel).rgb(), noNumber = noNumberColor().rgb();
    m_image = QImage(m_grid.tokens, m_grid.tokens, QImage::Format_RGB32);
    for (int query = 0; query < m_grid.tokens; ++query) {
        auto* line = reinterpret_cast<QRgb*>(m_image.scanLine(query));
        const float* row = m_grid.values->data() + static_cast<std::size_t>(query) * static_cast<std::size_t>(m_grid.tokens);
        for (int key = 0; key < m_grid.tokens; ++key)
            line[key] = m_grid.causal && key > query ? unseen : !std::isfinite(row[key]) ? noNumber : table[static_cast<std::size_t>(std::lround(position(static_cast<double>(row[key])) * 255))];
    }
}

AttentionMapView::Frame AttentionMapView::frame() const
{
    const QFontMetricsF metrics(Theme::smallFont(font()));
    const double line = metrics.height();
    const double names = nameRoom();
    const double left = line + 8 + (names > 0 ? names : metrics.horizontalAdvance(QString::number(std::max(m_grid.tokens, 100))));
    const double right = 10 + 12 + 6 + metrics.horizontalAdvance(QStringLiteral("-0.0005")) + 4;
    const double top = line + 8, bottom = (names > 0 ? names + line : 2 * line) + 8;
    const double side = std::max(std::min(width() - left - right, height() - top - bottom), 20.0);
    const double spare = std::max(0.0, width() - left - right - side) / 2;
    Frame f;
    f.plot = QRectF(left + spare, top, side, side);
    f.bar = QRectF(f.plot.right() + 10, f.plot.top(), 12, side);
    return f;
}

QRectF AttentionMapView::plotArea() const { return frame().plot; }

QPointF AttentionMapView::toPixel(TokenPair pair) const
{
    const QRectF plot = plotArea();
    return {plot.left() + (pair.key + 0.5 - m_view.left()) / m_view.width() * plot.width(),
            plot.top() + (pair.query + 0.5 - m_view.top()) / m_view.height() * plot.height()};
}

std::optional<TokenPair> AttentionMapView::pairAt(const QPointF& position) const
{
    const QRectF plot = plotArea();
    if (isEmpty() || !plot.contains(position))
        return std::nullopt;
    const auto cell = [this](double t, double first) { return std::clamp(static_cast<int>(first + t * m_view.width()), 0, m_grid.tokens - 1); };
    return TokenPair{cell((position.y() - plot.top()) / plot.height(), m_view.top()), cell((position.x() - plot.left()) / plot.width(), m_view.left())};
}

void AttentionMapView::point(std::optional<TokenPair> pair)
{
    if (pair == m_pointed)
        return;
    setPointed(pair);
    emit pairPointed(m_pointed);
}

void AttentionMapView::choose(int query)
{
    setChosenQuery(query);
    emit queryChosen(m_chosen);
}

void AttentionMapView::changeView(const QRectF& tokens)
{
    setView(tokens);
    emit viewChanged(m_view);
}

void AttentionMapView::zoom(double factor, const QPointF& around)
{
    if (isEmpty())
        return;
    const QRectF plot = plotArea();
    const double side = std::clamp(m_view.width() / factor, std::min(kLeastTokens, static_cast<double>(m_grid.tokens)), static_cast<double>(m_grid.tokens));
    const double fx = std::clamp((around.x() - plot.left()) / plot.width(), 0.0, 1.0), fy = std::clamp((around.y() - plot.top()) / plot.height(), 0.0, 1.0);
    changeView(QRectF(m_view.left() + fx * (m_view.width() - side), m_view.top() + fy * (m_view.height() - side), side, side));
}

void AttentionMapView::mouseMoveEvent(QMouseEvent* event)
{
    m_own = true;
    if (m_press && (m_panning || (event->position() - *m_press).manhattanLength() > kDragPixels)) {
        m_panning = true;
        setCursor(Qt::ClosedHandCursor);
        const QRectF plot = plotArea();
        const QPointF moved = event->position() - *m_press;
        changeView(m_viewAtPress.translated(-moved.x() / plot.width() * m_view.width(), -moved.y() / plot.height() * m_view.height()));
    } else {
        const auto pair = pairAt(event->position());
        setCursor(pair ? Qt::CrossCursor : Qt::ArrowCursor);
        point(pair);
    }
    update();
}

void AttentionMapView::mousePressEvent(QMouseEvent* event)
{
    if (event->button() != Qt::LeftButton && event->button() != Qt::MiddleButton)
        return;
    m_press = event->position();
    m_panning = false;
    m_viewAtPress = m_view;
}

void AttentionMapView::mouseReleaseEvent(QMouseEvent* event)
{
    if (m_press && !m_panning && event->button() == Qt::LeftButton)
        if (const auto pair = pairAt(event->position()))
            choose(pair->query == m_chosen ? -1 : pair->query);
    m_press.reset();
    m_panning = false;
    setCursor(Qt::CrossCursor);
}

void AttentionMapView::mouseDoubleClickEvent(QMouseEvent*)
{
    m_press.reset();
    changeView(QRectF(0, 0, m_grid.tokens, m_grid.tokens));
}

void AttentionMapView::wheelEvent(QWheelEvent* event)
{
    const double steps = event->angleDelta().y() / 120.0;
    zoom(std::pow(kWheelStep, steps), event->position());
    event->accept();
}

void AttentionMapView::keyPressEvent(QKeyEvent* event)
{
    const auto walk = [&](int queries, int keys) {
        if (isEmpty())
            return;
        const TokenPair from = m_pointed.value_or(TokenPair{std::max(m_chosen, 0), 0});
        point(TokenPair{std::clamp(from.query + queries, 0, m_grid.tokens - 1), std::clamp(from.key + keys, 0, m_grid.tokens - 1)});
        setAccessibleDescription(hoverLines().join(QStringLiteral(", ")));
        if (m_chosen >= 0)
            choose(m_pointed->query);
    };
    switch (event->key()) {
    case Qt::Key_Left: return walk(0, -1);
    case Qt::Key_Right: return walk(0, 1);
    case Qt::Key_Up: return walk(-1, 0);
    case Qt::Key_Down: return walk(1, 0);
    case Qt::Key_Return:
    case Qt::Key_Space:
        if (m_pointed)
            choose(m_pointed->query);
        return;
    case Qt::Key_Escape: return choose(-1);
    case Qt::Key_Plus: return zoom(kWheelStep, plotArea().center());
    case Qt::Key_Minus: return zoom(1 / kWheelStep, plotArea().center());
    case Qt::Key_0: return changeView(QRectF(0, 0, m_grid.tokens, m_grid.tokens));
    default: QWidget::keyPressEvent(event);
    }
}

void AttentionMapView::leaveEvent(QEvent*)
{
    m_own = false;
    point(std::nullopt);
    update();
}

void AttentionMapView::focusInEvent(QFocusEvent* event)
{
    QWidget::focusInEvent(event);
    update();
}

void AttentionMapView::focusOutEvent(QFocusEvent* event)
{
    QWidget::focusOutEvent(event);
    update();
}

QString AttentionMapView::figureCsv() const
{
    QString text = QStringLiteral("query,query token,key,key token,") + csvField(m_valueTitle) + QLatin1Char('\n');
    if (isEmpty())
        return text;
    const auto name = [this](int token) { return token < m_names.size() ? csvField(m_names[token]) : QString(); };
    for (int query = 0; query < m_grid.tokens; ++query)
        for (int key = 0; key < m_grid.tokens; ++key)
            if (const auto shown = value({query, key}))
                text += QStringLiteral("%1,%2,%3,%4,%5\n").arg(query).arg(name(query)).arg(key).arg(name(key)).arg(QString::number(*shown, 'g', 9));
    return text;
}

} // namespace tamis::views
