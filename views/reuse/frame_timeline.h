// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/reuse_report.h"
#include "views/common/figure.h"
#include "views/reuse/shown_runs.h"

#include <QStringList>
#include <QWidget>

#include <memory>
#include <vector>

namespace tamis::views {

/// What is saved and lost over the frames of a sequence: strips of the MACs' share, the feature error and the KL, above them key frames, scene
/// cuts and frames whose label is another. One run is drawn as a line, a second one beside it dashed. A click or a drag in it chooses the
/// frame; with focus Left and Right go by one frame, Page Up and Page Down by ten, Home and End to the ends.
class FrameTimeline : public QWidget, public Figure {
    Q_OBJECT
public:
    enum Strip { MacsStrip, ErrorStrip, KlStrip, kStrips };
    explicit FrameTimeline(QWidget* parent = nullptr);

    /// `shown`, `beside`: indices of runs, -1: none. A run may have fewer frames than the sequence: the others are still to come.
    void setRuns(std::shared_ptr<const ShownRuns> runs, int shown, int beside);
    void setSceneCuts(const std::vector<int>& frames); ///< first frames of scenes, ascending
    void setFrame(int frame);         ///< the cursor, without a signal; clamped
    int frame() const noexcept { return m_frame; }
    int frameCount() const noexcept { return m_runs ? m_runs->of->frameCount : 0; }
    void setStale(bool stale);
    void setCaption(const QString& settings) { m_caption = settings; }

    QRectF stripArea(int strip) const; ///< this widget's pixels
    double xOf(double frame) const;
    QPointF pointOf(int strip, int frame) const; ///< of the shown run; (-1, -1): not measured
    std::vector<int> flips() const;     ///< frames of the shown run whose label is another
    std::vector<int> keyFrames() const; ///< of the shown run
    QStringList hoverLines() const;     ///< of the frame under the pointer; else empty

    QSize minimumSizeHint() const override { return {320, 170}; }
    QSize sizeHint() const override { return {700, 240}; }
    QSize figureSize() const override { return size(); }
    void paintFigure(QPainter& painter) const override;
    QString figureCsv() const override; ///< a row a frame and run
    QString figureCaption() const override { return m_caption; }

signals:
    void frameChosen(int frame, bool finished); ///< by the user; not finished while it is dragged

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
    const report::ReuseRun* run(int index) const;
    QRectF marksArea() const;
    double legendWidth() const;
    int frameAt(double x) const;
    void choose(int frame, bool finished);
    void rescale();
    void describe();
    void draw(QPainter& painter, bool interactive) const;
    void drawMarks(QPainter& painter) const;
    void drawStrip(QPainter& painter, int strip) const;
    void drawLine(QPainter& painter, int strip, const report::ReuseRun& run, const QPen& pen) const;
    void drawFrames(QPainter& painter) const;
    void drawLegend(QPainter& painter) const;

    std::shared_ptr<const ShownRuns> m_runs;
    int m_shown = -1, m_beside = -1, m_frame = 0, m_pointed = -1;
    double m_high[kStrips] = {1, 1, 1}; ///< of the axes, which begin at zero
    bool m_known[kStrips] = {};         ///< something was measured
    std::vector<int> m_cuts;
    QString m_caption;
    bool m_dragging = false, m_stale = false;
};

/// What a strip shows of a frame; NaN: not measured.
double stripValue(int strip, const report::FrameResult& frame);
QString stripTitle(int strip);

} // namespace tamis::views
