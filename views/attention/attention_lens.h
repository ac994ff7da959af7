// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "views/attention/attention_map_view.h"

#include <QImage>

#include <array>

namespace tamis::views {

/// Where a query looks: its row of the exact map beside that of the approximate one, drawn over the photo's patches or behind the
/// text's tokens. A patch or a token under the pointer becomes the query; a click keeps it.
class AttentionLens : public QWidget, public Figure {
    Q_OBJECT
public:
    explicit AttentionLens(QWidget* parent = nullptr);

    struct Layout {
        int prefixTokens = 0, gridHeight = 0, gridWidth = 0; ///< of photos; height 0: text
        bool operator==(const Layout&) const = default;
    };
    void setLayout(const Layout& layout, const QStringList& names); ///< names: of tokens, a text's pieces
    void setPhoto(const QImage& photo); ///< what the model sees: its corners are the grid's; null: none yet
    void setMaps(const AttentionGrid& exact, const AttentionGrid& approximate, const QString& approximateTitle);
    void setScale(ColorScale scale);
    void setQuery(int query);  ///< -1: none; without a signal
    int query() const noexcept { return m_query; }
    void setCaption(const QString& settings) { m_caption = settings; }

    bool isPhoto() const noexcept { return m_layout.gridHeight > 0; }
    bool isEmpty() const noexcept;
    QRectF tokenRect(bool approximate, int token) const; ///< this widget's pixels; empty where it is not drawn
    QColor tokenColor(bool approximate, int token) const; ///< overlay of a token for the query; without one: invalid

    QSize minimumSizeHint() const override { return {260, 150}; }
    QSize figureSize() const override { return size(); }
    void paintFigure(QPainter& painter) const override;
    QString figureCsv() const override; ///< key, exact, approximate of the query
    QString figureCaption() const override { return m_caption; }

signals:
    void queryPointed(int query); ///< -1: the pointer left
    void queryChosen(int query);

protected:
    void paintEvent(QPaintEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void focusInEvent(QFocusEvent* event) override;
    void focusOutEvent(QFocusEvent* event) override;

private:
    QRectF half(bool approximate) const;    ///< without the title
    QRectF picture(bool approximate) const;
    void flowText();
    int tokenAt(const QPointF& position) const;
    double weight(bool approximate, int token) const;
    void measure(); ///< m_most
    void draw(QPainter& painter, bool interactive) const;
    void drawPhoto(QPainter& painter, bool approximate) const;
    void drawText(QPainter& painter, bool approximate) const;

    Layout m_layout;
    QStringList m_names;
    QImage m_photo;
    std::array<AttentionGrid, 2> m_grids; ///< exact, approximate
    QString m_approximateTitle, m_caption;
    ColorScale m_scale = ColorScale::Root;
    int m_query = -1, m_firstShown = 0;
    double m_most = 1; ///< largest weight of the query in both maps
    std::vector<QRectF> m_flow; ///< of tokens from m_firstShown, from (0, 0) of a half; text alone
};

} // namespace tamis::views
