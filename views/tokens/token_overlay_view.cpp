// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/tokens/token_overlay_view.h"

#include "views/common/number_format.h"
#include "views/common/theme.h"

#include <QKeyEvent>
#include <QMouseEvent>
#include <QToolTip>

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
constexpr double kMostZoom = 16;
constexpr double kDragStart = 4; ///< pixels from which a press is a drag
constexpr int kNamed = 6;        ///< source patches that the hint names
using report::TokenWish;
} // namespace

TokenWish nextWish(TokenWish wish)
{
    return wish == TokenWish::None ? TokenWish::Keep : wish == TokenWish::Keep ? TokenWish::Drop : TokenWish::None;
}

TokenOverlayView::TokenOverlayView(QWidget* parent) : QWidget(parent), m_emptyText(tr("A photo with its tokens is shown here."))
{
    setMouseTracking(true);
    setFocusPolicy(Qt::StrongFocus);
    setAccessibleName(tr("Tokens of a photo"));
    connect(&Theme::instance(), &Theme::changed, this, qOverload<>(&QWidget::update));
    describe();
}

void TokenOverlayView::setTitle(const QString& title)
{
    m_title = title;
    setAccessibleName(title.isEmpty() ? tr("Tokens of a photo") : tr("Tokens of a photo, %1").arg(title));
    update();
}

void TokenOverlayView::setPicture(const TokenPicture& picture)
{
    const bool same = picture.rows() == m_picture.rows() && picture.columns() == m_picture.columns();
    m_picture = picture;
    if (!same) {
        m_view = {0, 0, 1, 1};
        m_pointed = m_focused = -1;
    }
    m_depth = std::clamp(m_depth, 0, m_picture.blocks());
    describe();
    update();
}

void TokenOverlayView::setDepth(int depth)
{
    m_depth = std::clamp(depth, 0, m_picture.blocks());
    describe();
    update();
}

void TokenOverlayView::setShade(TokenShade shade)
{
    m_shade = shade;
    describe();
    update();
}

void TokenOverlayView::setWishes(const std::vector<TokenWish>& wishes)
{
    m_wishes = wishes;
    describe();
    update();
}

void TokenOverlayView::setWishable(bool wishable, const QString& reason)
{
    m_wishable = wishable;
    m_unwishable = wishable ? QString() : reason;
    setToolTip(m_unwishable);
    describe();
}

void TokenOverlayView::setStale(bool stale)
{
    m_stale = stale;
    update();
}

void TokenOverlayView::setEmptyText(const QString& text)
{
    m_emptyText = text;
    describe();
    update();
}

void TokenOverlayView::setView(const QRectF& part)
{
    const double side = std::clamp(part.width(), 1 / kMostZoom, 1.0);
    m_view = {std::clamp(part.left(), 0.0, 1 - side), std::clamp(part.top(), 0.0, 1 - side), side, side};
    update();
}

void TokenOverlayView::changeView(const QRectF& part)
{
    const QRectF before = m_view;
    setView(part);
    if (m_view != before)
        emit viewChanged(m_view);
}

void TokenOverlayView::zoom(double factor, const QPointF& around)
{
    const QRectF plot = plotArea();
    const double x = std::clamp((around.x() - plot.left()) / plot.width(), 0.0, 1.0), y = std::clamp((around.y() - plot.top()) / plot.height(), 0.0, 1.0);
    const double side = std::clamp(m_view.width() / factor, 1 / kMostZoom, 1.0);
    changeView({m_view.left() + x * (m_view.width() - side), m_view.top() + y * (m_view.height() - side), side, side});
}

void TokenOverlayView::setPointed(int patch)
{
    m_pointed = patch >= 0 && patch < m_picture.patches() ? patch : -1;
    update();
}

void TokenOverlayView::setFocused(int patch)
{
    m_focused = patch >= 0 && patch < m_picture.patches() ? patch : -1;
    describe();
    update();
}

TokenWish TokenOverlayView::wish(int patch) const
{
    const auto source = static_cast<std::size_t>(m_picture.prefix() + patch);
    return patch >= 0 && source < m_wishes.size() ? m_wishes[source] : TokenWish::None;
}

QRectF TokenOverlayView::plotArea() const
{
    const double line = QFontMetricsF(Theme::smallFont(font())).height();
    const double bar = hasBar() ? 14 + QFontMetricsF(Theme::smallFont(font())).horizontalAdvance(QStringLiteral("0.00e-00")) + 14 : 0;
    const QRectF room = QRectF(rect()).adjusted(8, line + 10, -8 - bar, -line - 10);
    const double columns = std::max(m_picture.columns(), 1), rows = std::max(m_picture.rows(), 1);
    const double cell = std::max(std::min(room.width() / columns, room.height() / rows), 0.1);
    const QSizeF size(cell * columns, cell * rows);
    return {room.left() + (room.width() - size.width()) / 2, room.top() + (room.height() - size.height()) / 2, size.width(), size.height()};
}

QRectF TokenOverlayView::colorBar() const
{
    if (!hasBar() || isEmpty())
        return {};
    const QRectF plot = plotArea();
    return {plot.right() + 10, plot.top(), 12, plot.height()};
}

QRectF TokenOverlayView::place() const
{
    const QRectF plot = plotArea();
    return {plot.left() - m_view.left() / m_view.width() * plot.width(), plot.top() - m_view.top() / m_view.height() * plot.height(), plot.width() / m_view.width(),
            plot.height() / m_view.height()};
}

QRectF TokenOverlayView::patchRect(int patch) const { return isEmpty() ? QRectF() : m_picture.patchRect(place(), patch); }

int TokenOverlayView::patchAt(const QPointF& position) const
{
    if (isEmpty() || !plotArea().contains(position))
        return -1;
    const QRectF whole = place();
    const int column = static_cast<int>((position.x() - whole.left()) / whole.width() * m_picture.columns());
    const int row = static_cast<int>((position.y() - whole.top()) / whole.height() * m_picture.rows());
    return std::clamp(row, 0, m_picture.rows() - 1) * m_picture.columns() + std::clamp(column, 0, m_picture.columns() - 1);
}

QString TokenOverlayView::barTitle() const
{
    if (m_shade == TokenShade::Unmerged)
        return m_picture.hasUnmerged() ? tr("Features at the end, on the grid: 1 − cosine to the whole model's") : tr("This method's features do not lie on the model's grid");
    const int block = m_picture.scoreBlock(m_depth);
    if (block < 0)
        return tr("No scores before block %1").arg(m_depth);
    const QString title = QString::fromStdString(m_picture.overlay()->scoreTitle);
    return tr("%1, block %2").arg(title.isEmpty() ? tr("score") : title).arg(block);
}

QStringList TokenOverlayView::hoverLines() const
{
    const int patch = shownPatch();
    if (isEmpty() || patch < 0)
        return {};
    QStringList lines{tr("Patch at %1").arg(patchName(m_picture, patch))};
    const int group = m_picture.groupOf(m_depth, patch);
    if (group < 0) {
        int gone = m_depth;
        while (gone > 1 && m_picture.groupOf(gone - 1, patch) < 0)
            --gone;
        lines << tr("pruned in block %1").arg(gone - 1);
    } else {
        const auto& members = m_picture.members(m_depth, group);
        lines << tr("token %1 of %2").arg(group).arg(m_picture.tokens(m_depth));
        if (members.size() > 1) {
            lines << tr("group of %1 patches, size %2").arg(members.size()).arg(formatNumber(m_picture.sizeOf(m_depth, group)));
            QStringList names;
            for (std::size_t i = 0; i < members.size() && i < kNamed; ++i)
                names << QStringLiteral("%1·%2").arg(members[i] / m_picture.columns() + 1).arg(members[i] % m_picture.columns() + 1);
            if (members.size() > kNamed)
                names << tr("%1 more").arg(members.size() - kNamed);
            lines << tr("row·column: %1").arg(names.join(QStringLiteral(", ")));
        } else {
            lines << tr("one patch, alone");
        }
    }
    if (const int block = m_picture.scoreBlock(m_depth); block >= 0) {
        const double score = m_picture.score(m_depth, patch);
        lines << (std::isfinite(score) ? tr("score %1 in block %2").arg(formatNumber(score)).arg(block) : tr("no score in block %1").arg(block));
    }
    if (const double shift = m_picture.unmerged(patch); m_shade == TokenShade::Unmerged && std::isfinite(shift))
        lines << tr("features at the end moved by %1 (1 − cosine)").arg(formatNumber(shift, 3));
    if (wish(patch) != TokenWish::None)
        lines << (wish(patch) == TokenWish::Keep ? tr("kept always, by hand") : tr("dropped by hand"));
    return lines;
}

QString TokenOverlayView::statusLine() const
{
    const int patch = shownPatch();
    if (isEmpty() || patch < 0)
        return {};
    const int group = m_picture.groupOf(m_depth, patch);
    const auto company = m_picture.members(m_depth, group).size();
    QString text = tr("%1: %2").arg(patchName(m_picture, patch), group < 0 ? tr("pruned") : company > 1 ? tr("group of %1").arg(company) : tr("alone"));
    if (const double shift = m_picture.unmerged(patch); m_shade == TokenShade::Unmerged)
        text += std::isfinite(shift) ? tr(", moved by %1").arg(formatNumber(shift, 3)) : QString();
    else if (const double score = m_picture.score(m_depth, patch); std::isfinite(score))
        text += tr(", score %1").arg(formatNumber(score, 3));
    if (wish(patch) != TokenWish::None)
        text += wish(patch) == TokenWish::Keep ? tr(", kept by hand") : tr(", dropped by hand");
    return text;
}

/// For readers who do not see the picture.
void TokenOverlayView::describe()
{
    if (isEmpty()) {
        setAccessibleDescription(m_emptyText);
        return;
    }
    QString text = m_depth == 0 ? tr("%1 tokens enter the first block").arg(m_picture.tokens(0))
                                : tr("%1 of %2 tokens leave block %3").arg(m_picture.tokens(m_depth)).arg(m_picture.tokens(0)).arg(m_depth - 1);
    if (m_focused >= 0 && hasFocus())
        text = hoverLines().join(QStringLiteral(", ")) + QStringLiteral(". ") + text;
    if (m_wishable)
        text += tr(". Enter keeps or drops a patch by hand.");
    else if (!m_unwishable.isEmpty())
        text += QStringLiteral(". ") + m_unwishable;
    setAccessibleDescription(text);
}

void TokenOverlayView::point(int patch)
{
    if (patch == m_pointed)
        return;
    m_pointed = patch;
    update();
    emit patchPointed(patch);
}

void TokenOverlayView::focus(int patch)
{
    m_focused = patch;
    if (m_pointed >= 0)
        point(-1); // what the keys choose is shown, not what the pointer rests on
    if (const QRectF cell = patch >= 0 ? patchRect(patch) : QRectF(); patch >= 0 && !plotArea().contains(cell.center())) {
        const double x = (patch % m_picture.columns() + 0.5) / m_picture.columns(), y = (patch / m_picture.columns() + 0.5) / m_picture.rows();
        changeView({x - m_view.width() / 2, y - m_view.height() / 2, m_view.width(), m_view.height()});
    }
    describe();
    update();
    emit patchFocused(patch);
}

bool TokenOverlayView::walk(int key, bool patchByPatch)
{
    const int dx = key == Qt::Key_Right ? 1 : key == Qt::Key_Left ? -1 : 0, dy = key == Qt::Key_Down ? 1 : key == Qt::Key_Up ? -1 : 0;
    if ((dx == 0 && dy == 0) || isEmpty())
        return false;
    if (m_focused < 0) {
        focus(std::max(m_pointed, 0));
        return true;
    }
    const int from = m_picture.groupOf(m_depth, m_focused);
    int row = m_focused / m_picture.columns(), column = m_focused % m_picture.columns();
    for (;;) {
        row += dy;
        column += dx;
        if (row < 0 || row >= m_picture.rows() || column < 0 || column >= m_picture.columns())
            return true; // the edge
        const int patch = row * m_picture.columns() + column;
        const int group = m_picture.groupOf(m_depth, patch);
        if (patchByPatch || group != from || group < 0) { // pruned patches stand for themselves
            focus(patch);
            return true;
        }
    }
}

void TokenOverlayView::ask(int patch)
{
    if (patch < 0 || isEmpty())
        return;
    if (!m_wishable && !m_unwishable.isEmpty())
        return QToolTip::showText(mapToGlobal(patchRect(patch).center().toPoint()), m_unwishable, this);
    if (m_wishable)
        emit wishRequested(m_picture.prefix() + patch, nextWish(wish(patch)));
}

void TokenOverlayView::mouseMoveEvent(QMouseEvent* event)
{
    if (m_press) {
        const QPointF moved = event->position() - *m_press;
        if (!m_panning && std::hypot(moved.x(), moved.y()) >= kDragStart)
            m_panning = true;
        if (m_panning) {
            const QRectF plot = plotArea();
            changeView(m_viewAtPress.translated(-moved.x() / plot.width() * m_view.width(), -moved.y() / plot.height() * m_view.height()));
            setCursor(m_view.width() < 1 ? Qt::ClosedHandCursor : Qt::ArrowCursor);
            return;
        }
    }
    m_own = true;
    const int patch = patchAt(event->position());
    setCursor(patch >= 0 && m_wishable ? Qt::PointingHandCursor : Qt::ArrowCursor);
    point(patch);
}

void TokenOverlayView::mousePressEvent(QMouseEvent* event)
{
    if (event->button() != Qt::LeftButton)
        return QWidget::mousePressEvent(event);
    m_press = event->position();
    m_viewAtPress = m_view;
    m_panning = false;
}

/// The second of two quick clicks is a click.
void TokenOverlayView::mouseDoubleClickEvent(QMouseEvent* event) { mousePressEvent(event); }

void TokenOverlayView::mouseReleaseEvent(QMouseEvent* event)
{
    if (event->button() != Qt::LeftButton || !m_press)
        return QWidget::mouseReleaseEvent(event);
    m_press.reset();
    if (!std::exchange(m_panning, false)) {
        const int patch = patchAt(event->position());
        if (patch >= 0)
            setFocused(patch);
        ask(patch);
    }
}

void TokenOverlayView::wheelEvent(QWheelEvent* event)
{
    if (isEmpty() || event->angleDelta().y() == 0)
        return event->ignore();
    zoom(std::pow(1.0015, event->angleDelta().y()), event->position());
    event->accept();
}

void TokenOverlayView::keyPressEvent(QKeyEvent* event)
{
    const QRectF plot = plotArea();
    const QPointF around = m_focused >= 0 ? patchRect(m_focused).center() : plot.center();
    if (walk(event->key(), event->modifiers().testFlag(Qt::ControlModifier)))
        return;
    switch (event->key()) {
    case Qt::Key_Return:
    case Qt::Key_Enter:
    case Qt::Key_Space: return ask(m_focused);
    case Qt::Key_Plus:
    case Qt::Key_Equal: return zoom(1.5, around);
    case Qt::Key_Minus: return zoom(1 / 1.5, around);
    case Qt::Key_0: return changeView({0, 0, 1, 1});
    case Qt::Key_PageDown: emit depthRequested(std::min(m_depth + 1, m_picture.blocks())); return;
    case Qt::Key_PageUp: emit depthRequested(std::max(m_depth - 1, 0)); return;
    case Qt::Key_Escape:
        if (m_focused >= 0)
            return focus(-1);
        break;
    default: break;
    }
    QWidget::keyPressEvent(event);
}

void TokenOverlayView::leaveEvent(QEvent*)
{
    m_own = false;
    point(-1);
}

void TokenOverlayView::focusInEvent(QFocusEvent* event)
{
    QWidget::focusInEvent(event);
    describe();
    update();
}

void TokenOverlayView::focusOutEvent(QFocusEvent* event)
{
    QWidget::focusOutEvent(event);
    describe();
    update();
}

/// The depth in words, and what the method did with this photo.
QString TokenOverlayView::whereText() const
{
    QString where = m_depth == 0 ? tr("before the first block") : m_picture.wasRun(m_depth) ? tr("behind block %1").arg(m_depth - 1) : tr("block %1 was not run").arg(m_depth - 1);
    if (!isEmpty() && !m_picture.overlay()->remark.empty())
        where += QStringLiteral(" · ") + QString::fromStdString(m_picture.overlay()->remark);
    return where;
}

QString TokenOverlayView::figureCsv() const { return isEmpty() ? QString() : tokensCsv(*m_picture.overlay()); }

QString TokenOverlayView::figureCaption() const
{
    if (isEmpty())
        return m_caption;
    const QString here = tr("%1, %2, %3 of %4 tokens").arg(QString::fromStdString(m_picture.overlay()->file), whereText()).arg(m_picture.tokens(m_depth)).arg(m_picture.tokens(0));
    return m_caption.isEmpty() ? here : here + QLatin1Char('\n') + m_caption;
}

} // namespace tamis::views
