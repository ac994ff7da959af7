// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/tokens/token_pareto_chart.h"

#include "views/common/figure_export.h"
#include "views/common/number_format.h"
#include "views/common/theme.h"

#include <QPainter>

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
constexpr int kColors = 10; ///< of the theme, before they repeat
constexpr int kPromiseSteps = 48;
constexpr TokenQuality kQualities[] = {TokenQuality::Top1, TokenQuality::Agreement, TokenQuality::Kl, TokenQuality::SpeedUp};

bool moreIsBetter(TokenQuality quality) { return quality != TokenQuality::Kl; }
QString exact(double value) { return std::isfinite(value) ? QString::number(value, 'g', 12) : QString(); }
QString text(const std::string& s) { return QString::fromStdString(s); }

/// Index of a method's series, which come after the whole model's; series.size(): none.
std::size_t seriesTitled(const std::vector<FrontierSeries>& series, const QString& title)
{
    return static_cast<std::size_t>(std::ranges::find(series.begin() + 1, series.end(), title, &FrontierSeries::title) - series.begin());
}
} // namespace

QString tokenQualityTitle(TokenQuality quality)
{
    switch (quality) {
    case TokenQuality::Top1: return QObject::tr("Accuracy, top 1");
    case TokenQuality::Agreement: return QObject::tr("Same class as the whole model");
    case TokenQuality::Kl: return QObject::tr("KL divergence from the whole model");
    case TokenQuality::SpeedUp: return QObject::tr("Measured speed-up");
    }
    return {};
}

QString tokenCostTitle(TokenCost cost)
{
    switch (cost) {
    case TokenCost::Macs: return QObject::tr("MACs a photo");
    case TokenCost::Latency: return QObject::tr("Measured latency of a batch");
    case TokenCost::Tokens: return QObject::tr("Tokens left, mean over blocks");
    }
    return {};
}

double tokenQualityOf(TokenQuality quality, const report::TokenComparison& comparison, const report::TokenPoint& point)
{
    switch (quality) {
    case TokenQuality::Top1: return point.top1;
    case TokenQuality::Agreement: return point.agreement;
    case TokenQuality::Kl: return point.kl;
    case TokenQuality::SpeedUp: {
        const double whole = std::isfinite(point.wholeLatencyMs) || comparison.points.empty() ? point.wholeLatencyMs : comparison.points.front().latencyMs;
        return point.latencyMs > 0 ? whole / point.latencyMs : report::kNotMeasured;
    }
    }
    return report::kNotMeasured;
}

double tokenCostOf(TokenCost cost, const report::TokenPoint& point)
{
    if (!point.failure.empty())
        return report::kNotMeasured;
    switch (cost) {
    case TokenCost::Macs: return point.macs > 0 ? static_cast<double>(point.macs) : report::kNotMeasured;
    case TokenCost::Latency: return point.latencyMs;
    case TokenCost::Tokens: return point.tokensKept;
    }
    return report::kNotMeasured;
}

QString formatTokenQuality(TokenQuality quality, double value)
{
    switch (quality) {
    case TokenQuality::Top1:
    case TokenQuality::Agreement: return formatPercent(value);
    case TokenQuality::Kl: return formatNumber(value, 3);
    case TokenQuality::SpeedUp: return std::isfinite(value) ? QString::number(value, 'f', 2) + QStringLiteral("\u202f×") : formatNumber(value);
    }
    return {};
}

QString formatTokenCost(TokenCost cost, double value)
{
    return cost == TokenCost::Macs ? formatCount(value) : cost == TokenCost::Latency ? formatMilliseconds(value) : formatPercent(value, 0);
}

std::vector<bool> tokenFronts(const report::TokenComparison& comparison, TokenQuality quality, TokenCost cost)
{
    std::vector<FrontierWorth> worths;
    for (const auto& point : comparison.points)
        worths.push_back({point.title, (moreIsBetter(quality) ? 1 : -1) * tokenQualityOf(quality, comparison, point), -tokenCostOf(cost, point)});
    if (quality != TokenQuality::SpeedUp)
        return frontiersOf(worths);
    std::vector<bool> measured; // speed is no trade for cost: each is shown
    for (const auto& worth : worths)
        measured.push_back(std::isfinite(worth.first) && std::isfinite(worth.second));
    return measured;
}

double tokenBreakEven(const report::TokenComparison& comparison, const std::string& title)
{
    struct Sample {
        double macs, gain;
    };
    std::vector<Sample> samples;
    for (std::size_t i = 1; i < comparison.points.size(); ++i)
        if (const auto& point = comparison.points[i]; point.title == title)
            if (const Sample made{tokenCostOf(TokenCost::Macs, point), tokenQualityOf(TokenQuality::SpeedUp, comparison, point)};
                std::isfinite(made.macs) && std::isfinite(made.gain))
                samples.push_back(made);
    std::ranges::sort(samples, {}, &Sample::macs);
    if (samples.empty() || samples.front().gain <= 1)
        return report::kNotMeasured;
    for (std::size_t i = 1; i < samples.size(); ++i)
        if (samples[i].gain <= 1) {
            const Sample &a = samples[i - 1], &b = samples[i];
            return a.macs + (b.macs - a.macs) * (a.gain - 1) / (a.gain - b.gain);
        }
    return tokenCostOf(TokenCost::Macs, comparison.points.front());
}

TokenParetoChart::TokenParetoChart(QWidget* parent)
    : FrontierChart({.widestTick = QStringLiteral("100.0 %"), .widestEntry = tr("what the MACs promise")}, tr("Compare methods to see what fewer tokens cost."), parent)
{
    setObjectName(QStringLiteral("tokenPareto"));
    setAccessibleName(tr("Token reductions, what is left of the model against what it costs"));
}

void TokenParetoChart::setComparison(std::shared_ptr<const report::TokenComparison> comparison)
{
    m_comparison = std::move(comparison);
    rebuild();
}

void TokenParetoChart::setQuality(TokenQuality quality)
{
    m_quality = quality;
    rebuild();
}

void TokenParetoChart::setCost(TokenCost cost)
{
    m_cost = cost;
    rebuild();
}

void TokenParetoChart::setChosen(int index)
{
    m_chosen = index;
    update();
}

QString TokenParetoChart::emptyText() const { return hasPoints() ? tr("%1 was not measured.").arg(tokenQualityTitle(m_quality)) : FrontierChart::emptyText(); }

double TokenParetoChart::wholeMacs() const { return tokenCostOf(TokenCost::Macs, m_comparison->points.front()); }

std::vector<FrontierSeries> TokenParetoChart::seriesOf() const
{
    using enum FrontierSeries::Mark;
    constexpr FrontierSeries::Mark kShapes[] = {Diamond, Up, Down, Cross};
    if (!hasPoints())
        return {};
    std::vector<FrontierSeries> series{{.title = tr("whole model"), .mark = Square}};
    int colors = 0;
    std::size_t shapes = 0;
    for (std::size_t at = 1; at < m_comparison->points.size(); ++at) {
        const auto& of = m_comparison->points[at];
        FrontierSeries made{.title = text(of.title)};
        if (seriesTitled(series, made.title) < series.size())
            continue;
        if (of.baseline) {
            made.mark = kShapes[shapes++ % std::size(kShapes)];
            made.filled = false;
            made.line = Qt::DashLine;
            made.lineWidth = 1.2;
        } else {
            made.color = colors++;
            made.line = made.color < kColors ? Qt::SolidLine : Qt::DashDotLine;
        }
        series.push_back(made);
    }
    return series;
}

void TokenParetoChart::rebuild()
{
    const int count = m_comparison ? static_cast<int>(m_comparison->points.size()) : 0;
    auto series = seriesOf();
    const auto front = m_comparison ? tokenFronts(*m_comparison, m_quality, m_cost) : std::vector<bool>();
    std::vector<FrontierPoint> points;
    for (int at = 0; at < count; ++at) {
        const std::size_t of = at == 0 ? 0 : seriesTitled(series, text(point(at).title));
        points.push_back({at, tokenCostOf(m_cost, point(at)), tokenQualityOf(m_quality, *m_comparison, point(at)), of, front[static_cast<std::size_t>(at)]});
    }
    if (showsPromise())
        series.push_back({.title = tr("what the MACs promise"), .mark = FrontierSeries::Mark::Stroke, .ink = Ink::Text, .line = Qt::DotLine, .lineWidth = 1.2});
    setSeries(series);
    setPoints(points, count);
    if (m_chosen >= count)
        m_chosen = -1;
    showAxes();
}

void TokenParetoChart::showAxes()
{
    if (points().empty())
        return;
    double xLow = INFINITY, xHigh = -INFINITY, yLow = INFINITY, yHigh = -INFINITY;
    for (const FrontierPoint& each : points()) {
        xLow = std::min(xLow, each.x);
        xHigh = std::max(xHigh, each.x);
        yLow = std::min(yLow, each.y);
        yHigh = std::max(yHigh, each.y);
    }
    if (showsPromise()) {
        yLow = std::min(yLow, 1.0);
        yHigh = std::max(yHigh, wholeMacs() / xLow);
    }
    const double padX = std::max(0.06 * (xHigh - xLow), 0.01 * std::abs(xHigh) + 1e-12), padY = std::max(0.08 * (yHigh - yLow), 0.01 * std::abs(yHigh) + 1e-9);
    const bool share = m_quality == TokenQuality::Top1 || m_quality == TokenQuality::Agreement;
    const QString title = tokenQualityTitle(m_quality);
    setAxes({.title = tokenCostTitle(m_cost), .low = std::max(0.0, xLow - padX), .high = xHigh + padX, .format = [cost = m_cost](double value) { return formatTokenCost(cost, value); }},
            {.title = moreIsBetter(m_quality) ? title : tr("%1 (less is upwards)").arg(title),
             .low = std::max(0.0, yLow - padY),
             .high = share ? std::min(yHigh + padY, 1.01) : yHigh + padY,
             .backwards = !moreIsBetter(m_quality),
             .format = [quality = m_quality](double value) { return formatTokenQuality(quality, value); }});
}

QPointF TokenParetoChart::promised(double macs) const { return showsPromise() ? place(plotArea(), macs, wholeMacs() / macs) : QPointF(-1, -1); }

void TokenParetoChart::drawUnder(QPainter& painter, const QRectF& area) const
{
    if (!showsPromise())
        return;
    const auto& theme = Theme::instance();
    QPolygonF curve;
    for (int i = 0; i <= kPromiseSteps; ++i)
        if (const double macs = xAxis().low + (xAxis().high - xAxis().low) * i / kPromiseSteps; macs > 0)
            curve << place(area, macs, wholeMacs() / macs);
    painter.save();
    painter.setClipRect(area);
    painter.setPen(QPen(theme.color(Ink::Text), 1.2, Qt::DotLine));
    painter.drawPolyline(curve);
    const double even = place(area, xAxis().low, 1).y();
    painter.setPen(QPen(theme.color(Ink::Loss), 1, Qt::DashLine));
    painter.drawLine(QPointF(area.left(), even), QPointF(area.right(), even));
    painter.setPen(theme.color(Ink::Loss));
    const double line = QFontMetricsF(painter.font()).height();
    painter.drawText(QRectF(area.left() + 4, even + 1, area.width(), line), Qt::AlignLeft, tr("no gain: as slow as the whole model"));
    painter.restore();
}

void TokenParetoChart::drawOn(QPainter& painter, const FrontierPoint& point, const QPointF& at) const
{
    if (point.index != m_chosen)
        return;
    painter.setPen(QPen(Theme::instance().color(Ink::Accent), 2.4));
    painter.drawEllipse(at, 8, 8);
}

QStringList TokenParetoChart::linesOf(int index) const
{
    const auto& of = point(index);
    QStringList lines{text(of.title)};
    if (!of.settings.empty())
        lines << text(of.settings);
    lines << tr("%1 MACs, %2 of the tokens").arg(formatCount(static_cast<double>(of.macs)), formatPercent(of.tokensKept));
    for (const auto quality : kQualities)
        if (const double value = tokenQualityOf(quality, *m_comparison, of); std::isfinite(value))
            lines << QStringLiteral("%1: %2").arg(tokenQualityTitle(quality), formatTokenQuality(quality, value));
    if (std::isfinite(of.latencyMs))
        lines << (std::isfinite(of.matchingMs) ? tr("%1 a batch of %2, of it %3 choose tokens").arg(formatMilliseconds(of.latencyMs)).arg(m_comparison->batch).arg(formatMilliseconds(of.matchingMs))
                                               : tr("%1 a batch of %2").arg(formatMilliseconds(of.latencyMs)).arg(m_comparison->batch));
    return lines;
}

QString TokenParetoChart::figureCsv() const
{
    QString table = QStringLiteral("method,title,settings,baseline,macs,tokens_kept,top1,agreement,kl,latency_ms,matching_ms,failure\n");
    if (!m_comparison)
        return table;
    for (const auto& of : m_comparison->points)
        table += QStringList{csvField(text(of.method)), csvField(text(of.title)), csvField(text(of.settings)), of.baseline ? QStringLiteral("1") : QStringLiteral("0"),
                             QString::number(of.macs), exact(of.tokensKept), exact(of.top1), exact(of.agreement), exact(of.kl), exact(of.latencyMs), exact(of.matchingMs),
                             csvField(text(of.failure))}
                     .join(QLatin1Char(',')) +
                 QLatin1Char('\n');
    return table;
}

QString TokenParetoChart::figureCaption() const
{
    return m_comparison ? tr("%1: %2 photos of %3, latency at batch %4").arg(text(m_comparison->model)).arg(m_comparison->photos).arg(text(m_comparison->samples)).arg(m_comparison->batch)
                        : QString();
}

} // namespace tamis::views
