// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/attention_report.h"
#include "views/common/frontier_chart.h"

#include <memory>
#include <vector>

namespace tamis::views {

enum class LengthMeasure { Latency, Scratch, Read, Macs };
QString lengthMeasureTitle(LengthMeasure measure);
double lengthValueOf(LengthMeasure measure, const report::AttentionCostRow& row, bool predicted); ///< NaN: not known; predicted: latency alone
QString formatLengthValue(LengthMeasure measure, double value);

using CostCurves = std::vector<report::AttentionCostCurve>;

/// What attention costs against the number of tokens, both axes logarithmic: a colour an operator, measured times through discs, predicted ones
/// dashed and hollow; where an operator becomes faster than exact attention a line with the number of tokens, dashed where it is predicted.
class LengthChart : public FrontierChart {
    Q_OBJECT
public:
    explicit LengthChart(QWidget* parent = nullptr);

    void setCurves(std::shared_ptr<const CostCurves> curves); ///< null: none
    void setMeasure(LengthMeasure measure);
    LengthMeasure measure() const noexcept { return m_measure; }
    void setCaption(const QString& settings) { m_caption = settings; }

    struct Crossover {
        double tokens = 0;
        bool predicted = false;
        int color = 0; ///< of the theme's series
        QString label; ///< "Linformer: faster from 512, measured"
    };
    /// Those of the latency that lie in sight, by tokens; none for other measures.
    std::vector<Crossover> crossovers() const;

    QString figureCsv() const override; ///< a row a size of each curve
    QString figureCaption() const override { return m_caption; }

protected:
    QStringList linesOf(int index) const override;
    QString emptyText() const override;
    void drawOver(QPainter& painter, const QRectF& area) const override;

private:
    struct Of {
        std::size_t curve = 0, row = 0;
        bool predicted = false;
    };
    void rebuild();
    QString title(std::size_t curve) const;

    std::shared_ptr<const CostCurves> m_curves;
    std::vector<Of> m_of; ///< by index of the chart's points
    LengthMeasure m_measure = LengthMeasure::Latency;
    QString m_caption;
};

} // namespace tamis::views
