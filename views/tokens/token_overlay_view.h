// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "views/common/figure.h"
#include "views/tokens/token_picture.h"

#include <QStringList>
#include <QWidget>

#include <optional>
#include <vector>

namespace tamis::views {

/// One photo with its tokens behind a block. Made to stand beside another: depth, zoom and the patch under the pointer are set from outside
/// and told to the outside. A click on a patch, or Enter or Space on the focused one, asks for the next wish (keep, drop, none). Wheel, + and
/// - zoom, dragging pans, 0 shows all. The arrow keys walk from token to token, with Ctrl from patch to patch; Page Up and Page Down change the
/// depth; Escape leaves.
class TokenOverlayView : public QWidget, public Figure {
    Q_OBJECT
public:
    explicit TokenOverlayView(QWidget* parent = nullptr);

    void setTitle(const QString& title);
    /// Zoom and focus stay where the grid is the same.
    void setPicture(const TokenPicture& picture);
    const TokenPicture& picture() const noexcept { return m_picture; }
    void setDepth(int depth); ///< clamped to 0 .. blocks
    int depth() const noexcept { return m_depth; }
    void setShade(TokenShade shade);
    TokenShade shade() const noexcept { return m_shade; }
    void setWishes(const std::vector<report::TokenWish>& wishes); ///< [source tokens] or empty
    /// Whether clicks and keys may ask for wishes; where not, `reason` is a sentence that says why, shown as a tool tip and where one is asked for. Empty: nothing is said.
    void setWishable(bool wishable, const QString& reason = {});
    bool isWishable() const noexcept { return m_wishable; }
    void setStale(bool stale);       ///< what is shown is of older settings
    void setEmptyText(const QString& text);
    void setCaption(const QString& settings) { m_caption = settings; }

    void setView(const QRectF& part); ///< of the photo, 0..1 both ways; clamped; without a signal
    QRectF view() const noexcept { return m_view; }
    void setPointed(int patch); ///< -1: none; without a signal
    int pointed() const noexcept { return m_pointed; }
    void setFocused(int patch); ///< -1: none; without a signal
    int focused() const noexcept { return m_focused; }

    bool isEmpty() const noexcept { return m_picture.isEmpty(); }
    report::TokenWish wish(int patch) const;
    QRectF patchRect(int patch) const; ///< this widget's pixels
    int patchAt(const QPointF& position) const; ///< -1: none
    QRectF plotArea() const;
    QRectF colorBar() const;     ///< empty unless scores or unmerged features are shown
    QStringList hoverLines() const; ///< of the pointed patch, else of the focused one
    QString statusLine() const;     ///< the same in one line
    QString whereText() const;      ///< the depth in words, and what the method did with this photo
    QString barTitle() const;       ///< what the colour bar is of

    QSize minimumSizeHint() const override { return {180, 180}; }
    QSize sizeHint() const override { return {420, 440}; }
    QSize figureSize() const override { return size(); }
    void paintFigure(QPainter& painter) const override;
    QString figureCsv() const override; ///< tokensCsv of the overlay
    QString figureCaption() const override;

signals:
    void viewChanged(const QRectF& part);
    void patchPointed(int patch); ///< -1: the pointer left
    void patchFocused(int patch);
    void wishRequested(int sourceToken, tamis::report::TokenWish wish);
    void depthRequested(int depth);

protected:
    void paintEvent(QPaintEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
    void mouseDoubleClickEvent(QMouseEvent* event) override;
    void wheelEvent(QWheelEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void focusInEvent(QFocusEvent* event) override;
    void focusOutEvent(QFocusEvent* event) override;

private:
    QRectF place() const; ///< of the whole photo, beyond the plot where it is enlarged
    int shownPatch() const { return m_pointed >= 0 ? m_pointed : hasFocus() ? m_focused : -1; }
    void point(int patch);
    void focus(int patch);
    bool walk(int key, bool patchByPatch);
    void ask(int patch);
    void zoom(double factor, const QPointF& around);
    void changeView(const QRectF& part);
    void describe();
    void draw(QPainter& painter, bool interactive) const;
    void drawTitles(QPainter& painter, bool interactive) const;
    void drawWishes(QPainter& painter, const QRectF& place) const;
    void drawMarks(QPainter& painter, const QRectF& place) const;
    void drawBar(QPainter& painter) const;
    bool hasBar() const noexcept { return m_shade == TokenShade::Scores || m_shade == TokenShade::Unmerged; }

    TokenPicture m_picture;
    std::vector<report::TokenWish> m_wishes;
    QString m_title, m_emptyText, m_caption, m_unwishable;
    TokenShade m_shade = TokenShade::Tokens;
    int m_depth = 0, m_pointed = -1, m_focused = -1;
    bool m_own = false; ///< the pointer is over this view
    bool m_wishable = true, m_stale = false;
    QRectF m_view{0, 0, 1, 1};
    std::optional<QPointF> m_press;
    bool m_panning = false;
    QRectF m_viewAtPress;
};

/// The wish that follows in turn: keep, drop, none.
report::TokenWish nextWish(report::TokenWish wish);

} // namespace tamis::views
