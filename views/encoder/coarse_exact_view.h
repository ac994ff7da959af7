// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/encoder_report.h"
#include "views/common/figure.h"

#include <QStringList>
#include <QWidget>

#include <cstdint>
#include <memory>
#include <optional>

namespace tamis::views {

/// One token: its exact set on the left, largest first; on the right the order that the encoder makes of all latents, first on top, on a
/// logarithmic axis of places; a line from each latent of the set to the place where it landed. The cut, the number of candidates that are
/// re-ranked, is a line that the mouse drags; with focus Up and Down move it by one, with Shift by a tenth. Hover says what a latent is.
class CoarseExactView : public QWidget, public Figure {
    Q_OBJECT
public:
    explicit CoarseExactView(QWidget* parent = nullptr);

    void setRanking(std::shared_ptr<const report::TokenRanking> ranking); ///< null: none
    const std::shared_ptr<const report::TokenRanking>& ranking() const noexcept { return m_ranking; }
    void setCut(std::int64_t cut); ///< at least 1; drawn where the ranking is coarse; no cutMoved
    std::int64_t cut() const noexcept { return m_cut; }
    void setEmptyText(const QString& text);
    void setCaption(const QString& settings) { m_caption = settings; }
    void setStale(bool stale); ///< a badge says so

    std::int64_t found() const; ///< of the exact set, by the cut; by what was returned where there is no coarse order
    QPointF exactPoint(int index) const;        ///< where the line of the index-th latent of the set begins
    QPointF landedPoint(int index) const;       ///< and ends; what did not land lies below the axis
    QPointF cutHandle(std::int64_t cut) const;  ///< where the cut's line would be, at its middle
    QStringList hoverLines() const;

    QSize minimumSizeHint() const override { return {360, 220}; }
    QSize figureSize() const override { return size(); }
    void paintFigure(QPainter& painter) const override;
    QString figureCsv() const override; ///< a row a latent of the set: place, latent, value, place in the coarse order, found
    QString figureCaption() const override;

signals:
    void cutMoved(qlonglong cut, bool finished); ///< by the user

protected:
    void paintEvent(QPaintEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void focusInEvent(QFocusEvent* event) override;
    void focusOutEvent(QFocusEvent* event) override;

private:
    struct Frame {
        QRectF left, middle, right; ///< columns; the lines run in the middle one
        double row = 0;             ///< height of one latent on the left
    };
    Frame frame() const;
    double placePixel(const Frame& frame, double place) const; ///< y of a place, 0 first
    double placeAt(const Frame& frame, double y) const;
    std::int64_t places() const; ///< on the axis
    bool isFound(const report::TokenRanking::Wanted& wanted) const;
    bool nearCut(const QPointF& position) const;
    void moveCut(std::int64_t cut, bool finished);
    std::optional<int> wantedAt(const QPointF& position) const;
    std::optional<int> rankedAt(const QPointF& position) const;
    QString placeText(const report::TokenRanking::Wanted& wanted) const;
    void draw(QPainter& painter, bool interactive) const;
    void drawHeads(QPainter& painter, const Frame& frame) const;
    void drawExact(QPainter& painter, const Frame& frame) const;
    void drawRanked(QPainter& painter, const Frame& frame) const;
    void drawLines(QPainter& painter, const Frame& frame) const;
    void drawCut(QPainter& painter, const Frame& frame) const;

    std::shared_ptr<const report::TokenRanking> m_ranking;
    std::int64_t m_cut = 1;
    bool m_dragging = false, m_stale = false;
    std::optional<int> m_wanted, m_ranked; ///< under the pointer
    QPointF m_pointer;
    QString m_emptyText, m_caption;
};

} // namespace tamis::views
