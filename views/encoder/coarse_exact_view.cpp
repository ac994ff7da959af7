// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/encoder/coarse_exact_view.h"

#include "views/common/number_format.h"
#include "views/common/theme.h"

#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
constexpr double kReach = 6;       ///< pixels from a line within which it is meant
constexpr double kMostRow = 26;    ///< pixels of one latent
constexpr double kMissedRoom = 26; ///< below the axis, for latents that are in no order
} // namespace

CoarseExactView::CoarseExactView(QWidget* parent) : QWidget(parent), m_emptyText(tr("Open an autoencoder to see where its latents land."))
{
    setMouseTracking(true);
    setFocusPolicy(Qt::StrongFocus);
    setObjectName(QStringLiteral("coarseExactView"));
    setAccessibleName(tr("Exact set and coarse order of one token"));
    connect(&Theme::instance(), &Theme::changed, this, qOverload<>(&QWidget::update));
}

void CoarseExactView::setRanking(std::shared_ptr<const report::TokenRanking> ranking)
{
    m_ranking = std::move(ranking);
    m_wanted.reset();
    m_ranked.reset();
    if (m_ranking)
        setAccessibleDescription(tr("Token %1: %2 of %3 latents found").arg(m_ranking->token).arg(found()).arg(m_ranking->exact.size()));
    update();
}

void CoarseExactView::setCut(std::int64_t cut)
{
    if (m_dragging)
        return; // the hand is ahead of the session
    m_cut = std::max<std::int64_t>(cut, 1);
    update();
}

void CoarseExactView::setEmptyText(const QString& text)
{
    m_emptyText = text;
    update();
}

void CoarseExactView::setStale(bool stale)
{
    m_stale = stale;
    update();
}

bool CoarseExactView::isFound(const report::TokenRanking::Wanted& wanted) const
{
    return wanted.place >= 0 && (!m_ranking->coarse || wanted.place < m_cut);
}

std::int64_t CoarseExactView::found() const
{
    return m_ranking ? std::ranges::count_if(m_ranking->exact, [this](const auto& wanted) { return isFound(wanted); }) : 0;
}

// Geometry --------------------------------------------------------------------------------------------------------------

std::int64_t CoarseExactView::places() const
{
    return std::max<std::int64_t>(m_ranking->coarse ? m_ranking->latents : static_cast<std::int64_t>(m_ranking->ranked.size()), 2);
}

CoarseExactView::Frame CoarseExactView::frame() const
{
    const QFontMetricsF metrics(Theme::smallFont(font()));
    const double top = metrics.height() * 2 + 14, bottom = height() - 12 - (m_ranking && m_ranking->coarse ? 0 : kMissedRoom);
    const double ticks = metrics.horizontalAdvance(QStringLiteral("000000")) + 8;
    const double column = std::clamp(0.32 * width(), 110.0, 380.0);
    Frame f;
    f.left = QRectF(14, top, column, bottom - top);
    f.right = QRectF(width() - 14 - column - ticks, top, column, bottom - top);
    f.middle = QRectF(QPointF(f.left.right() + 4, top), QPointF(f.right.left() - 4, bottom));
    const auto rows = m_ranking ? std::max<std::size_t>(m_ranking->exact.size(), 1) : 1;
    f.row = std::min(f.left.height() / static_cast<double>(rows), kMostRow);
    return f;
}

double CoarseExactView::placePixel(const Frame& f, double place) const
{
    return f.right.top() + f.right.height() * std::log1p(std::clamp(place, 0.0, static_cast<double>(places()))) / std::log1p(static_cast<double>(places()));
}

double CoarseExactView::placeAt(const Frame& f, double y) const
{
    const double t = std::clamp((y - f.right.top()) / f.right.height(), 0.0, 1.0);
    return std::expm1(t * std::log1p(static_cast<double>(places())));
}

QPointF CoarseExactView::exactPoint(int index) const
{
    const Frame f = frame();
    return {f.left.right() + 4, f.left.top() + (index + 0.5) * f.row};
}

QPointF CoarseExactView::landedPoint(int index) const
{
    const Frame f = frame();
    const auto& wanted = m_ranking->exact[static_cast<std::size_t>(index)];
    return {f.right.left() - 4, wanted.place < 0 ? f.right.bottom() + kMissedRoom / 2 : placePixel(f, static_cast<double>(wanted.place) + 0.5)};
}

QPointF CoarseExactView::cutHandle(std::int64_t cut) const
{
    const Frame f = frame();
    return {f.right.center().x(), placePixel(f, static_cast<double>(cut))};
}

bool CoarseExactView::nearCut(const QPointF& position) const
{
    if (!m_ranking || !m_ranking->coarse)
        return false;
    const Frame f = frame();
    return position.x() >= f.middle.center().x() && std::abs(position.y() - placePixel(f, static_cast<double>(m_cut))) <= kReach;
}

std::optional<int> CoarseExactView::wantedAt(const QPointF& position) const
{
    if (!m_ranking || m_ranking->exact.empty())
        return {};
    const Frame f = frame();
    const auto count = static_cast<int>(m_ranking->exact.size());
    if (position.x() < f.middle.left()) {
        const int row = static_cast<int>(std::floor((position.y() - f.left.top()) / f.row));
        return row >= 0 && row < count ? std::optional<int>(row) : std::nullopt;
    }
    if (position.x() > f.middle.right())
        return {};
    std::optional<int> best;
    double nearest = kReach;
    for (int i = 0; i < count; ++i) {
        const QPointF from = exactPoint(i), to = landedPoint(i);
        const double t = (position.x() - from.x()) / std::max(to.x() - from.x(), 1.0);
        if (const double distance = std::abs(from.y() + t * (to.y() - from.y()) - position.y()); distance < nearest) {
            nearest = distance;
            best = i;
        }
    }
    return best;
}

std::optional<int> CoarseExactView::rankedAt(const QPointF& position) const
{
    if (!m_ranking)
        return {};
    const Frame f = frame();
    if (!f.right.adjusted(-4, 0, 0, 0).contains(position))
        return {};
    const double place = std::floor(placeAt(f, position.y()));
    return place < static_cast<double>(m_ranking->ranked.size()) ? std::optional<int>(static_cast<int>(place)) : std::nullopt;
}

// The user --------------------------------------------------------------------------------------------------------------

void CoarseExactView::moveCut(std::int64_t cut, bool finished)
{
    cut = std::clamp<std::int64_t>(cut, 1, places());
    const bool moved = cut != m_cut;
    m_cut = cut;
    update();
    if (moved || finished)
        emit cutMoved(cut, finished);
}

void CoarseExactView::mousePressEvent(QMouseEvent* event)
{
    if (event->button() == Qt::LeftButton && nearCut(event->position()))
        m_dragging = true;
}

void CoarseExactView::mouseMoveEvent(QMouseEvent* event)
{
    m_pointer = event->position();
    if (m_dragging) {
        moveCut(std::llround(placeAt(frame(), m_pointer.y())), false);
        return;
    }
    const bool cut = nearCut(m_pointer);
    setCursor(cut ? Qt::SplitVCursor : Qt::ArrowCursor);
    m_wanted = cut ? std::nullopt : wantedAt(m_pointer);
    m_ranked = cut ? std::nullopt : rankedAt(m_pointer);
    update();
}

void CoarseExactView::mouseReleaseEvent(QMouseEvent* event)
{
    if (event->button() == Qt::LeftButton && std::exchange(m_dragging, false))
        moveCut(m_cut, true);
}

void CoarseExactView::keyPressEvent(QKeyEvent* event)
{
    const int direction = event->key() == Qt::Key_Down ? 1 : event->key() == Qt::Key_Up ? -1 : 0;
    if (!m_ranking || !m_ranking->coarse || direction == 0) {
        QWidget::keyPressEvent(event);
        return;
    }
    const std::int64_t step = event->modifiers().testFlag(Qt::ShiftModifier) ? std::max<std::int64_t>(m_cut / 10, 1) : 1;
    moveCut(m_cut + direction * step, true);
}

void CoarseExactView::leaveEvent(QEvent*)
{
    m_wanted.reset();
    m_ranked.reset();
    update();
}

void CoarseExactView::focusInEvent(QFocusEvent* event)
{
    QWidget::focusInEvent(event);
    update();
}

void CoarseExactView::focusOutEvent(QFocusEvent* event)
{
    QWidget::focusOutEvent(event);
    update();
}

// What it says ------------------------------------------------------------------------------------------------------------

QString CoarseExactView::placeText(const report::TokenRanking::Wanted& wanted) const
{
    if (wanted.place < 0)
        return tr("not found");
    const QString place = m_ranking->coarse ? tr("place %1 in the coarse order").arg(wanted.place + 1) : tr("place %1 of what was returned").arg(wanted.place + 1);
    return isFound(wanted) ? place : place + tr(", beyond the cut");
}

QStringList CoarseExactView::hoverLines() const
{
    if (m_wanted) {
        const auto& wanted = m_ranking->exact[static_cast<std::size_t>(*m_wanted)];
        return {tr("Latent %1").arg(wanted.latent), tr("exact: place %1, value %2").arg(*m_wanted + 1).arg(formatNumber(wanted.value)), placeText(wanted)};
    }
    if (m_ranked) {
        const auto& ranked = m_ranking->ranked[static_cast<std::size_t>(*m_ranked)];
        return {tr("Place %1: latent %2").arg(*m_ranked + 1).arg(ranked.latent), tr("score %1").arg(formatNumber(ranked.score)),
                ranked.wanted ? tr("in the exact set") : tr("not in the exact set")};
    }
    return {};
}

QString CoarseExactView::figureCsv() const
{
    QString text = QStringLiteral("place,latent,value,%1,found\n").arg(m_ranking && m_ranking->coarse ? QStringLiteral("coarse place") : QStringLiteral("returned place"));
    for (std::size_t i = 0; m_ranking && i < m_ranking->exact.size(); ++i) {
        const auto& wanted = m_ranking->exact[i];
        text += QStringLiteral("%1,%2,%3,%4,%5\n")
                    .arg(i + 1)
                    .arg(wanted.latent)
                    .arg(QString::number(wanted.value, 'g', 9), wanted.place < 0 ? QString() : QString::number(wanted.place + 1))
                    .arg(isFound(wanted) ? 1 : 0);
    }
    return text;
}

QString CoarseExactView::figureCaption() const
{
    if (!m_ranking)
        return m_caption;
    const QString token = m_ranking->coarse ? tr("token %1, cut at %2").arg(m_ranking->token).arg(m_cut) : tr("token %1").arg(m_ranking->token);
    return m_caption.isEmpty() ? token : m_caption + QStringLiteral(", ") + token;
}

void CoarseExactView::paintEvent(QPaintEvent*)
{
    QPainter painter(this);
    draw(painter, true);
}

void CoarseExactView::paintFigure(QPainter& painter) const { draw(painter, false); }

} // namespace tamis::views
