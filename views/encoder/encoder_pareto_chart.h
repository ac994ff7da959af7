// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/encoder_comparison.h"
#include "views/common/frontier_chart.h"

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
/// upwards on a logarithmic axis; one colour and frontier a method, the exact encoder as a square with a line across. Indices are of the
/// comparison's points.
class EncoderParetoChart : public FrontierChart {
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

    QString figureCsv() const override; ///< a row a point with every measure
    QString figureCaption() const override;

protected:
    QStringList linesOf(int index) const override;
    bool isEmpty() const override { return FrontierChart::isEmpty() && !currentPlace(); }
    void drawOver(QPainter& painter, const QRectF& area) const override;

private:
    void rebuild();
    void showSeries();
    void showAxes();
    std::optional<QPointF> currentPlace() const; ///< loss and speed of what is on screen now; none unless both are known
    const report::EncoderPoint& point(int index) const { return m_comparison->points[static_cast<std::size_t>(index)]; }

    std::shared_ptr<const report::EncoderComparison> m_comparison;
    std::vector<QString> m_methods; ///< titles by colour
    std::optional<report::EncoderPoint> m_current;
    EncoderLoss m_loss = EncoderLoss::Recall;
    EncoderSpeed m_speed = EncoderSpeed::Tokens64;
};

} // namespace tamis::views
