// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "views/common/figure.h"

#include <QImage>
#include <QStringList>
#include <QWidget>

#include <memory>
#include <optional>
#include <vector>

namespace tamis::views {

/// How values become colours. Logarithmic: four decades below the largest.
enum class ColorScale { Linear, Root, Logarithmic };

/// A cell of a map.
struct TokenPair {
    int query = 0, key = 0;
    bool operator==(const TokenPair&) const = default;
};

struct AttentionGrid {
    int tokens = 0;
    std::shared_ptr<const std::vector<float>> values; ///< [tokens * tokens], query by query
    bool signedValues = false; ///< around 0
    double most = 1;           ///< largest magnitude of the colour bar, finite; linked maps share it
    bool causal = false;       ///< keys behind the query are no values
};

/// One attention map: rows are queries, columns keys, square, with a colour bar. Made to stand beside others: zoom, hovered cell and chosen
/// query are set from outside and told to the outside. Wheel zooms, dragging pans, double click or 0 shows all, a click chooses a query;
/// with focus the arrow keys walk from cell to cell, Escape chooses none.
class AttentionMapView : public QWidget, public Figure {
    Q_OBJECT
public:
    explicit AttentionMapView(QWidget* parent = nullptr);

    void setTitle(const QString& title, const QString& valueTitle);
    void setGrid(const AttentionGrid& grid); ///< keeps the zoom where the size is the same
    void setTokenNames(const QStringList& names); ///< for hover and CSV; empty: the index
    void setNamedAxes(bool named); ///< tokens' names along both axes, as many as there is room for, in place of their numbers
    void setScale(ColorScale scale);
    void setCaption(const QString& settings) { m_caption = settings; }
    void setEmptyText(const QString& text);

    void setView(const QRectF& tokens); ///< x: keys, y: queries; clamped; without a signal
    QRectF view() const noexcept { return m_view; }
    void setPointed(std::optional<TokenPair> pair); ///< cross hair; without a signal
    std::optional<TokenPair> pointed() const noexcept { return m_pointed; }
    void setChosenQuery(int query); ///< -1: none; without a signal
    int chosenQuery() const noexcept { return m_chosen; }

    bool isEmpty() const noexcept;
    std::optional<double> value(TokenPair pair) const; ///< nothing outside, and behind a causal query
    QString tokenName(int token) const;
    QStringList hoverLines() const;      ///< of the pointed cell
    QPointF toPixel(TokenPair pair) const; ///< middle of a cell, this widget's coordinates
    QRectF plotArea() const;
    QColor colorOf(double value) const;
    static QColor noNumberColor(); ///< of cells that are no finite number: on neither scale of values

    QSize minimumSizeHint() const override { return {190, 170}; }
    QSize sizeHint() const override { return {320, 300}; }
    QSize figureSize() const override { return size(); }
    void paintFigure(QPainter& painter) const override;
    QString figureCsv() const override; ///< query, key, value
    QString figureCaption() const override { return m_caption; }

signals:
    void viewChanged(const QRectF& tokens);
    void pairPointed(std::optional<tamis::views::TokenPair> pair);
    void queryChosen(int query); ///< -1: none

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
    struct Frame {
        QRectF plot, bar;
    };
    Frame frame() const;
    void rebuildImage();
    void zoom(double factor, const QPointF& around);
    void changeView(const QRectF& tokens);
    void point(std::optional<TokenPair> pair);
    void choose(int query);
    std::optional<TokenPair> pairAt(const QPointF& position) const;
    double position(double value) const; ///< along the colour bar: 0..1
    double valueAt(double position) const;
    void draw(QPainter& painter, bool interactive) const;
    void drawMap(QPainter& painter, const Frame& frame, bool interactive) const;
    void drawAxes(QPainter& painter, const Frame& frame) const;
    void drawTitle(QPainter& painter, const Frame& frame) const;
    void drawNumbers(QPainter& painter, const Frame& frame) const;
    void drawNames(QPainter& painter, const Frame& frame) const;
    bool namesAxes() const noexcept { return m_namedAxes && !m_names.isEmpty(); }
    double nameRoom() const; ///< pixels along an axis for tokens' names; 0: numbers stand there
    void drawBar(QPainter& painter, const Frame& frame) const;
    void drawHover(QPainter& painter, const Frame& frame) const;

    AttentionGrid m_grid;
    QImage m_image;
    ColorScale m_scale = ColorScale::Root;
    QRectF m_view;
    std::optional<TokenPair> m_pointed;
    int m_chosen = -1;
    bool m_namedAxes = false;
    bool m_own = false; ///< the pointer is over this map
    std::optional<QPointF> m_press;
    bool m_panning = false;
    QRectF m_viewAtPress;
    QString m_title, m_valueTitle, m_caption, m_emptyText;
    QStringList m_names;
};

} // namespace tamis::views
