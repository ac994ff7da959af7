// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/encoder_comparison.h"
#include "views/common/figure.h"

#include <QStringList>
#include <QWidget>

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace tamis::views {

enum class EncoderLoss { Recall, RecallP5, FvuIncrease, LossIncrease };
enum class EncoderSpeed { Tokens1, Tokens8, Tokens64, Macs, BytesRead };

QString encoderLossTitle(EncoderLoss loss);
QString encoderSpeedTitle(EncoderSpeed speed);
double encoderLossOf(EncoderLoss loss, const report::EncoderPoint& point);    ///< NaN: not measured
double encoderSpeedOf(EncoderSpeed speed, const report::EncoderPoint& point); ///< NaN: not measured
QString formatEncoderLoss(EncoderLoss loss, double value);
QString formatEncoderSpeed(EncoderSpeed speed, double value);
/// Of each point whether no other of its title is at least as good in both and better in one. Points without both values: never.
std::vector<bool> encoderFronts(const report::EncoderComparison& comparison, EncoderLoss loss, EncoderSpeed speed);

/// Encoders at many settings: what they find to the right (recall, or what the error or the model's loss increases by on a logarithmic axis), how fast they are
/// upwards on a logarithmic axis; one colour and frontier a method, the exact encoder as a square with a line across. Hover shows a point's
/// settings, a click makes it current; with focus Left and Right walk through the points and Enter makes one current.
class EncoderParetoChart : public QWidget, public Figure {
    Q_OBJECT
public:
    explicit EncoderParetoChart(QWidget* parent = nullptr);

    void setComparison(std::shared_ptr<const report::EncoderComparison> comparison); ///< null: none
    void setLoss(EncoderLoss loss);
    EncoderLoss loss() const noexcept { return m_loss; }
    void setSpeed(EncoderSpeed speed);
    EncoderSpeed speed() const noexcept { return m_speed; }
    /// The configuration on screen now, drawn as a ring; not part of the collection.
    void setCurrent(const std::optional<report::EncoderPoint>& point);
    void setEmptyText(const QString& text);

    int shownPoints() const noexcept { return static_cast<int>(m_points.size()); }
    QPointF toPixel(int index) const; ///< of comparison()->points; (-1, -1): it has no place
    QStringList hoverLines() const;

    QSize minimumSizeHint() const override { return {320, 200}; }
    QSize figureSize() const override { return size(); }
    void paintFigure(QPainter& painter) const override;
    QString figureCsv() const override; ///< a row a point with every measure
    QString figureCaption() const override;

signals:
    void pointActivated(int index); ///< of comparison()->points, by the user

protected:
    void paintEvent(QPaintEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void focusInEvent(QFocusEvent* event) override;
    void focusOutEvent(QFocusEvent* event) override;

private:
    struct Point {
        int index = 0; ///< -1: the current one
        double loss = 0, speed = 0;
    };
    struct Frame {
        QRectF area, legend;
        double xLow = 0, xHigh = 1, yLow = 1, yHigh = 10; ///< x as drawn: log10 of an increase; y in log10
        bool logX = false;
    };
    void rebuild();
    Frame frame() const;
    double placeX(const Frame& frame, double loss) const;
    QPointF place(const Frame& frame, const Point& point) const;
    int pointAt(const QPointF& position) const; ///< into m_points; -1: none
    const report::EncoderPoint& point(int index) const { return m_comparison->points[static_cast<std::size_t>(index)]; }
    std::size_t colorIndex(int index) const; ///< of its title
    QColor colorOf(int index) const;
    void draw(QPainter& painter, bool interactive) const;
    void drawAxes(QPainter& painter, const Frame& frame) const;
    void drawFronts(QPainter& painter, const Frame& frame) const;
    void drawPoints(QPainter& painter, const Frame& frame) const;
    void drawLegend(QPainter& painter, const Frame& frame) const;

    std::shared_ptr<const report::EncoderComparison> m_comparison;
    std::vector<Point> m_points; ///< with both values, by loss
    std::vector<bool> m_front;   ///< of all points
    std::vector<QString> m_methods; ///< titles by colour
    std::optional<report::EncoderPoint> m_current;
    EncoderLoss m_loss = EncoderLoss::Recall;
    EncoderSpeed m_speed = EncoderSpeed::Tokens64;
    int m_hovered = -1, m_walked = -1; ///< indices of points
    QString m_emptyText;
};

} // namespace tamis::views
