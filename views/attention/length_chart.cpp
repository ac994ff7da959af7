// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/attention/length_chart.h"

#include "views/attention/attention_words.h"
#include "views/common/figure_export.h"
#include "views/common/number_format.h"
#include "views/common/plot_paint.h"
#include "views/common/theme.h"

#include <QPainter>

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
QString exactNumber(double value) { return std::isfinite(value) ? QString::number(value, 'g', 12) : QString(); }
QString formatTokens(double tokens) { return QString::number(std::llround(tokens)); }
} // namespace

QString lengthMeasureTitle(LengthMeasure measure)
{
    switch (measure) {
    case LengthMeasure::Latency: return QObject::tr("Time of one block's attention");
    case LengthMeasure::Scratch: return QObject::tr("Scratch memory");
    case LengthMeasure::Read: return QObject::tr("Bytes read, by the cache model");
    case LengthMeasure::Macs: return QObject::tr("MACs");
    }
    return {};
}

double lengthValueOf(LengthMeasure measure, const report::AttentionCostRow& row, bool predicted)
{
    const auto count = [predicted](std::uint64_t value) { return predicted || value == 0 ? report::kNotMeasured : static_cast<double>(value); };
    switch (measure) {
    case LengthMeasure::Latency: return predicted ? row.predictedMs : row.ms;
    case LengthMeasure::Scratch: return count(row.liveBytes);
    case LengthMeasure::Read: return count(row.readBytes);
    case LengthMeasure::Macs: return count(row.macs);
    }
    return report::kNotMeasured;
}

QString formatLengthValue(LengthMeasure measure, double value)
{
    return measure == LengthMeasure::Latency ? formatMilliseconds(value) : measure == LengthMeasure::Macs ? formatCount(value) : formatBytes(value);
}

LengthChart::LengthChart(QWidget* parent)
    : FrontierChart({.widestTick = QStringLiteral("1000.0 MiB"), .widestEntry = tr("exact, predicted"), .handOverPoints = true}, tr("Measure lengths to see from how many tokens on a method is faster."), parent)
{
    setObjectName(QStringLiteral("lengthChart"));
    setAccessibleName(tr("Cost of attention against the number of tokens"));
}

void LengthChart::setCurves(std::shared_ptr<const CostCurves> curves)
{
    m_curves = std::move(curves);
    rebuild();
}

void LengthChart::setMeasure(LengthMeasure measure)
{
    m_measure = measure;
    rebuild();
}

QString LengthChart::emptyText() const { return m_curves && !m_curves->empty() ? tr("%1: nothing is known of these operators.").arg(lengthMeasureTitle(m_measure)) : FrontierChart::emptyText(); }

QString LengthChart::title(std::size_t curve) const
{
    const auto& of = (*m_curves)[curve];
    return of.method.empty() ? tr("exact") : words(of.title);
}

void LengthChart::rebuild()
{
    std::vector<FrontierSeries> series;
    std::vector<FrontierPoint> points;
    m_of.clear();
    double xLow = INFINITY, xHigh = -INFINITY, yLow = INFINITY, yHigh = -INFINITY;
    for (std::size_t curve = 0; m_curves && curve < m_curves->size(); ++curve)
        for (const bool predicted : {false, true}) {
            FrontierSeries made{.title = predicted ? tr("%1, predicted").arg(title(curve)) : title(curve)};
            made.color = static_cast<int>(curve);
            made.line = predicted ? Qt::DashLine : Qt::SolidLine;
            made.filled = !predicted;
            const std::size_t before = points.size();
            for (std::size_t row = 0; row < (*m_curves)[curve].rows.size(); ++row) {
                const auto& of = (*m_curves)[curve].rows[row];
                const double x = static_cast<double>(of.tokens), y = lengthValueOf(m_measure, of, predicted);
                if (!(y > 0) || !std::isfinite(y) || of.tokens <= 0)
                    continue;
                points.push_back({static_cast<int>(m_of.size()), x, y, series.size(), true});
                m_of.push_back({curve, row, predicted});
                xLow = std::min(xLow, x);
                xHigh = std::max(xHigh, x);
                yLow = std::min(yLow, y);
                yHigh = std::max(yHigh, y);
            }
            if (points.size() > before)
                series.push_back(made);
        }
    setSeries(series);
    setPoints(points, static_cast<int>(m_of.size()));
    if (points.empty())
        return;
    const double padX = std::max(0.04 * std::log10(xHigh / xLow), 0.05), padY = std::max(0.06 * std::log10(yHigh / yLow), 0.05);
    setAxes({.title = tr("tokens"), .low = std::log10(xLow) - padX, .high = std::log10(xHigh) + padX, .logarithmic = true, .format = formatTokens},
            {.title = lengthMeasureTitle(m_measure), .low = std::log10(yLow) - padY, .high = std::log10(yHigh) + padY, .logarithmic = true,
             .format = [measure = m_measure](double value) { return formatLengthValue(measure, value); },
             .bytes = m_measure == LengthMeasure::Scratch || m_measure == LengthMeasure::Read});
}

std::vector<LengthChart::Crossover> LengthChart::crossovers() const
{
    std::vector<Crossover> made;
    for (std::size_t curve = 0; m_curves && m_measure == LengthMeasure::Latency && curve < m_curves->size(); ++curve)
        for (const bool predicted : {false, true}) {
            const auto& of = (*m_curves)[curve];
            if (const double tokens = predicted ? of.predictedCrossover : of.measuredCrossover; std::isfinite(tokens) && tokens > 0)
                made.push_back({tokens, predicted, static_cast<int>(curve),
                                (predicted ? tr("%1: faster from %2, predicted") : tr("%1: faster from %2, measured")).arg(title(curve), formatTokens(tokens))});
        }
    std::ranges::stable_sort(made, {}, &Crossover::tokens);
    return made;
}

/// Lines from top to bottom; their labels below one another, so that close ones can be read.
void LengthChart::drawOver(QPainter& painter, const QRectF& area) const
{
    const double line = QFontMetricsF(painter.font()).height() + 6;
    double y = area.top() + line / 2 + 2;
    for (const Crossover& each : crossovers()) {
        const double share = xAxis().share(each.tokens);
        if (share < 0 || share > 1)
            continue;
        const double x = area.left() + share * area.width();
        painter.setPen(QPen(Theme::instance().seriesColor(each.color), 1.2, each.predicted ? Qt::DashLine : Qt::SolidLine));
        painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()));
        drawTag(painter, area, {x, y}, each.label, each.predicted ? Ink::MutedText : Ink::Accent);
        y += line;
        if (y > area.bottom() - line)
            y = area.top() + line / 2 + 2;
    }
}

QStringList LengthChart::linesOf(int index) const
{
    const Of& at = m_of[static_cast<std::size_t>(index)];
    const auto& curve = (*m_curves)[at.curve];
    const auto& row = curve.rows[at.row];
    QStringList lines{title(at.curve)};
    if (!curve.settings.empty())
        lines << words(curve.settings);
    lines << tr("%1 tokens").arg(row.tokens);
    if (std::isfinite(row.ms) || std::isfinite(row.predictedMs))
        lines << tr("%1 measured, %2 predicted").arg(formatMilliseconds(row.ms), formatMilliseconds(row.predictedMs));
    lines << tr("%1 MACs, %2 scratch").arg(formatCount(static_cast<double>(row.macs)), formatBytes(static_cast<double>(row.liveBytes)));
    if (row.readBytes > 0)
        lines << tr("%1 read, by the cache model").arg(formatBytes(static_cast<double>(row.readBytes)));
    return lines;
}

QString LengthChart::figureCsv() const
{
    QString table = QStringLiteral("method,settings,tokens,ms,predicted_ms,macs,scratch_bytes,read_bytes,left_out\n");
    for (std::size_t curve = 0; m_curves && curve < m_curves->size(); ++curve)
        for (const auto& row : (*m_curves)[curve].rows)
            table += QStringList{csvField(title(curve)), csvField(words((*m_curves)[curve].settings)), QString::number(row.tokens), exactNumber(row.ms), exactNumber(row.predictedMs), QString::number(row.macs),
                                 QString::number(row.liveBytes), QString::number(row.readBytes), csvField(words(row.failure))}
                         .join(QLatin1Char(',')) +
                     QLatin1Char('\n');
    return table;
}

} // namespace tamis::views
