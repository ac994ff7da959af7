// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/model_report.h"
#include "views/common/figure.h"
#include "views/model/chain_layout.h"
#include "views/model/layer_measure.h"

#include <QAbstractScrollArea>
#include <QStringList>

#include <memory>
#include <set>

namespace tamis::views {

/// A model as a chain of boxes: embedding, blocks, norm, head, with a bar of the chosen cost in each box. Click selects (Ctrl
/// adds), the triangle of a block folds it. Wheel zooms, Shift and wheel or a drag on the ground moves, 0 fits, + and - zoom;
/// the arrow keys walk, Space or Enter on a block's head folds, Escape selects nothing.
class LayerChain : public QAbstractScrollArea, public Figure {
    Q_OBJECT
public:
    explicit LayerChain(QWidget* parent = nullptr);

    /// The selection stays where layers of the same names are left. Foldings stay for a model of the same blocks.
    void setReport(std::shared_ptr<const report::ModelCostReport> report);
    void setMeasure(LayerMeasure measure);
    LayerMeasure measure() const noexcept { return m_measure; }
    void setFolding(ChainFolding folding); ///< forgets what was folded by hand
    ChainFolding folding() const noexcept { return m_folding; }
    void setSelection(const QStringList& names); ///< without a signal; scrolls to the first
    QStringList selection() const;               ///< in the order of the report
    void setEmptyText(const QString& text);
    void setCaption(const QString& settings) { m_caption = settings; }

    const ChainLayout& chainLayout() const noexcept { return m_layout; }
    QRectF boxOnScreen(int box) const; ///< in the viewport's pixels
    int currentBox() const noexcept { return m_current; } ///< -1: none
    double zoom() const noexcept { return m_zoom; }
    QString boxText(int box) const;    ///< what a screen reader says of it
    double boxValue(int box) const;    ///< of the chosen measure: a layer's mean over repeated blocks; a block's sum; NaN: unknown
    QSize sizeHint() const override;
    QSize minimumSizeHint() const override { return {240, 150}; }

    QSize figureSize() const override;
    void paintFigure(QPainter& painter) const override;
    QString figureCsv() const override;
    QString figureCaption() const override { return m_caption; }

public slots:
    void fitZoom();

signals:
    void selectionChanged(const QStringList& names); ///< by the user
    void foldingChanged();

protected:
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
    void mouseDoubleClickEvent(QMouseEvent* event) override;
    void wheelEvent(QWheelEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void focusInEvent(QFocusEvent* event) override;
    void focusOutEvent(QFocusEvent* event) override;
    bool viewportEvent(QEvent* event) override;
    void changeEvent(QEvent* event) override;

private:
    struct Look; ///< colours and fonts of one painting
    void rebuild();
    void updateScrollBars();
    void zoomTo(double zoom, const QPointF& fixed);
    void toggleFold(int column);
    void select(int box, bool add);
    void makeCurrent(int box);
    void scrollToBox(int box);
    QPointF toChain(const QPointF& viewportPosition) const;
    QPointF origin() const; ///< of the chain in the viewport
    bool isSelected(const ChainBox& box) const;
    const report::LayerCost& layer(const ChainBox& box) const;
    double lineHeight() const;

    void drawChain(QPainter& painter, const QRectF& visible, bool interactive) const;
    void drawArrows(QPainter& painter, const Look& look) const;
    void drawColumn(QPainter& painter, const Look& look, const ChainColumn& column) const;
    void drawHeader(QPainter& painter, const Look& look, int box) const;
    void drawBlock(QPainter& painter, const Look& look, int box) const;
    void drawLayer(QPainter& painter, const Look& look, int box) const;
    void drawLayerTexts(QPainter& painter, const Look& look, int box) const;

    std::shared_ptr<const report::ModelCostReport> m_report;
    ChainLayout m_layout;
    LayerMeasure m_measure = LayerMeasure::Macs;
    ChainFolding m_folding = ChainFolding::Expanded;
    std::set<int> m_toggled;
    std::set<std::string> m_selected;
    double m_largestLayer = 0, m_largestBlock = 0; ///< of the chosen measure
    double m_zoom = 1;
    bool m_fits = true; ///< the zoom follows the size until the user zooms
    int m_current = -1, m_hovered = -1;
    bool m_panning = false;
    QPointF m_panFrom;
    QString m_emptyText, m_caption;
};

} // namespace tamis::views
