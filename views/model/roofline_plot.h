// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/model_report.h"
#include "views/common/figure.h"

#include <QStringList>
#include <QWidget>

#include <memory>
#include <set>
#include <vector>

namespace tamis::views {

/// Speed over arithmetic intensity, both logarithmic, under the ceilings of a machine. One dot a layer that multiplies: filled
/// at its measured speed, hollow on the roof when it was not measured. Hover tells, a click selects (Ctrl adds); with focus
/// Left and Right walk by intensity, Escape selects nothing.
class RooflinePlot : public QWidget, public Figure {
    Q_OBJECT
public:
    struct Dot {
        int layer = 0;                    ///< into the report
        double intensity = 0, gflops = 0; ///< FLOP/byte; 2 macs batch / time
        bool measured = false;
    };

    explicit RooflinePlot(QWidget* parent = nullptr);

    void setReport(std::shared_ptr<const report::ModelCostReport> report);
    void setCeilings(const report::Ceilings& ceilings); ///< those drawn; need not be the report's
    const report::Ceilings& ceilings() const noexcept { return m_ceilings; }
    void setSelection(const QStringList& names); ///< without a signal
    QStringList selection() const;               ///< in the order of the report; layers without a dot too
    void setEmptyText(const QString& text);

    const std::vector<Dot>& dots() const noexcept { return m_dots; } ///< by intensity
    QPointF toPixel(double intensity, double gflops) const;
    QStringList hoverLines() const; ///< of the dot under the pointer; empty without one
    /// What the machine allows: min(gflops, gigabytesPerSecond * intensity).
    static double roof(const report::Ceilings& ceilings, double intensity);

    QSize minimumSizeHint() const override { return {280, 130}; }
    QSize figureSize() const override { return size(); }
    void paintFigure(QPainter& painter) const override;
    QString figureCsv() const override;
    QString figureCaption() const override;

signals:
    void selectionChanged(const QStringList& names);

protected:
    void paintEvent(QPaintEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void focusInEvent(QFocusEvent* event) override;
    void focusOutEvent(QFocusEvent* event) override;

private:
    struct Frame {
        QRectF area;
        double xLow = -1, xHigh = 3, yLow = -1, yHigh = 3; ///< log10
    };
    Frame frame() const;
    static QPointF place(const Frame& frame, double intensity, double gflops);
    void rebuild();
    int dotAt(const QPointF& position) const;
    void select(int dot, bool add);
    const report::LayerCost& layer(const Dot& dot) const { return m_report->layers[static_cast<std::size_t>(dot.layer)]; }
    bool isSelected(const Dot& dot) const { return m_selected.count(layer(dot).name) != 0; }
    void draw(QPainter& painter, bool interactive) const;
    void drawAxes(QPainter& painter, const Frame& frame) const;
    void drawRoof(QPainter& painter, const Frame& frame) const;
    void drawDots(QPainter& painter, const Frame& frame, bool interactive) const;
    void drawLegend(QPainter& painter, const Frame& frame) const;
    void drawHover(QPainter& painter, const Frame& frame) const;

    std::shared_ptr<const report::ModelCostReport> m_report;
    report::Ceilings m_ceilings;
    std::vector<Dot> m_dots;
    std::set<std::string> m_selected;
    int m_hovered = -1, m_current = -1;
    QString m_emptyText;
};

} // namespace tamis::views
