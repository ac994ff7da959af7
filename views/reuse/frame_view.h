// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/reuse_report.h"
#include "views/common/figure.h"

#include <QImage>
#include <QStringList>
#include <QWidget>

#include <optional>
#include <vector>

namespace tamis::views {

/// A frame with the patches of one run over it, coloured by where their features come from; arrows from where warped ones came; below them a
/// legend with words and counts. Hover or, with focus, the arrow keys show one patch closely.
class FrameView : public QWidget, public Figure {
    Q_OBJECT
public:
    explicit FrameView(QWidget* parent = nullptr);

    /// Nothing: no result yet; the picture alone is shown. A result whose patches do not fill the grid counts as none.
    void setFrame(const std::optional<report::FrameResult>& frame, int rows, int columns);
    void setPhoto(const QImage& photo); ///< what the model sees of the frame, at any resolution; null: none yet
    void setTitle(const QString& title);
    void setLegend(const std::vector<report::PatchSource>& sources); ///< that are listed though this frame may have none of them
    void setThreshold(std::optional<double> threshold); ///< that changes are held against; nothing: none
    void setOpacity(double share);    ///< of the colours, 0..1
    double opacity() const noexcept { return m_opacity; }
    void setArrows(bool shown);
    bool arrows() const noexcept { return m_arrows; }
    bool isStale() const noexcept { return m_stale; }
    void setStale(bool stale);        ///< what is shown is of older settings, or a first look
    void setEmptyText(const QString& text);
    void setCaption(const QString& settings) { m_caption = settings; }

    const std::optional<report::FrameResult>& frame() const noexcept { return m_frame; }
    const QImage& photo() const noexcept { return m_photo; }
    int patches() const noexcept { return m_rows * m_columns; }
    QRectF plotArea() const;            ///< of the photo, this widget's pixels
    QRectF patchRect(int patch) const;
    int patchAt(const QPointF& position) const; ///< -1: none
    int focused() const noexcept { return m_focused; }
    struct Arrow {
        int from = 0, to = 0; ///< patches
    };
    std::vector<Arrow> arrowsShown() const; ///< of warped patches that moved; none where arrows are off
    QStringList hoverLines() const;         ///< of the pointed patch, else of the focused one; else empty
    QStringList legendLines() const;        ///< "computed 12"

    QSize minimumSizeHint() const override { return {240, 220}; }
    QSize sizeHint() const override { return {420, 440}; }
    QSize figureSize() const override { return size(); }
    void paintFigure(QPainter& painter) const override;
    QString figureCsv() const override; ///< a row a patch
    QString figureCaption() const override { return m_caption; }

protected:
    void paintEvent(QPaintEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void focusInEvent(QFocusEvent* event) override;
    void focusOutEvent(QFocusEvent* event) override;

private:
    struct LegendEntry {
        report::PatchSource source = report::PatchSource::Computed;
        QRectF place; ///< of swatch and words
        QString text;
    };
    std::vector<LegendEntry> legend(double top) const; ///< laid out in rows from `top`
    double legendHeight() const;
    int shownPatch() const { return m_pointed >= 0 ? m_pointed : hasFocus() ? m_focused : -1; }
    QString placeName(int patch) const;
    void describe();
    void draw(QPainter& painter, bool interactive) const;
    void drawPatches(QPainter& painter) const;
    void drawArrows(QPainter& painter) const;
    void drawLegend(QPainter& painter) const;

    std::optional<report::FrameResult> m_frame;
    QImage m_photo;
    QString m_title, m_emptyText, m_caption;
    std::vector<report::PatchSource> m_legend;
    std::optional<double> m_threshold;
    int m_rows = 0, m_columns = 0, m_pointed = -1, m_focused = -1;
    double m_opacity = 0.45;
    bool m_arrows = true, m_stale = false;
};

} // namespace tamis::views
