// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/encoder/encoder_pareto_chart.h"

#include "views/common/figure_export.h"
#include "views/common/number_format.h"
#include "views/common/theme.h"

#include <QPainter>

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace tamis::views {
namespace {
constexpr int kColors = 10; ///< of the theme, before they repeat
constexpr EncoderLoss kLosses[] = {EncoderLoss::Recall, EncoderLoss::RecallP5, EncoderLoss::FvuIncrease, EncoderLoss::LossIncrease};
constexpr EncoderSpeed kSpeeds[] = {EncoderSpeed::Tokens1, EncoderSpeed::Tokens8, EncoderSpeed::Tokens64, EncoderSpeed::Macs, EncoderSpeed::BytesRead};

double tokensPerSecond(const report::EncoderPoint& point, std::int64_t batch)
{
    const auto found = std::ranges::find(point.latency, batch, &report::EncoderLatency::batch);
    if (found == point.latency.end() || !(found->p50 > 0))
        return report::kNotMeasured;
    return 1000.0 * static_cast<double>(batch) / found->p50;
}

bool moreIsBetter(EncoderLoss loss) { return loss == EncoderLoss::Recall || loss == EncoderLoss::RecallP5; }
bool moreIsBetter(EncoderSpeed speed) { return speed != EncoderSpeed::Macs && speed != EncoderSpeed::BytesRead; }
QString exact(double value) { return std::isfinite(value) ? QString::number(value, 'g', 12) : QString(); }
} // namespace

QString encoderLossTitle(EncoderLoss loss)
{
    switch (loss) {
    case EncoderLoss::Recall: return QObject::tr("Recall, mean");
    case EncoderLoss::RecallP5: return QObject::tr("Recall, 5th percentile of the tokens");
    case EncoderLoss::FvuIncrease: return QObject::tr("Increase of FVU");
    case EncoderLoss::LossIncrease: return QObject::tr("Increase of the model's loss, nats");
    }
    return {};
}

QString encoderSpeedTitle(EncoderSpeed speed)
{
    switch (speed) {
    case EncoderSpeed::Tokens1: return QObject::tr("Tokens/s, 1 a call");
    case EncoderSpeed::Tokens8: return QObject::tr("Tokens/s, 8 a call");
    case EncoderSpeed::Tokens64: return QObject::tr("Tokens/s, 64 a call");
    case EncoderSpeed::Macs: return QObject::tr("MACs a token");
    case EncoderSpeed::BytesRead: return QObject::tr("Bytes read a token");
    }
    return {};
}

double encoderLossOf(EncoderLoss loss, const report::EncoderPoint& point)
{
    switch (loss) {
    case EncoderLoss::Recall: return point.exact ? 1 : point.quality.recallMean;
    case EncoderLoss::RecallP5: return point.exact ? 1 : point.quality.recallP5;
    case EncoderLoss::FvuIncrease: return point.exact ? 0 : point.quality.fvu - point.quality.fvuExact;
    case EncoderLoss::LossIncrease: return point.quality.loss - point.quality.lossExact; // not a number until it was measured
    }
    return report::kNotMeasured;
}

double encoderSpeedOf(EncoderSpeed speed, const report::EncoderPoint& point)
{
    switch (speed) {
    case EncoderSpeed::Tokens1: return tokensPerSecond(point, 1);
    case EncoderSpeed::Tokens8: return tokensPerSecond(point, 8);
    case EncoderSpeed::Tokens64: return tokensPerSecond(point, 64);
    case EncoderSpeed::Macs: return point.cost.macs > 0 ? point.cost.macs : report::kNotMeasured;
    case EncoderSpeed::BytesRead: return point.cost.bytesRead > 0 ? point.cost.bytesRead : report::kNotMeasured;
    }
    return report::kNotMeasured;
}

QString formatEncoderLoss(EncoderLoss loss, double value)
{
    return !moreIsBetter(loss) ? formatNumber(value, 3) : formatPercent(value, value > 0.995 && value < 1 ? 2 : 1);
}

QString formatEncoderSpeed(EncoderSpeed speed, double value) { return speed == EncoderSpeed::BytesRead ? formatBytes(value) : formatCount(value); }

std::vector<bool> encoderFronts(const report::EncoderComparison& comparison, EncoderLoss loss, EncoderSpeed speed)
{
    std::vector<FrontierWorth> worths;
    for (const auto& point : comparison.points)
        worths.push_back({point.title, moreIsBetter(loss) ? encoderLossOf(loss, point) : -encoderLossOf(loss, point),
                          moreIsBetter(speed) ? encoderSpeedOf(speed, point) : -encoderSpeedOf(speed, point)});
    return frontiersOf(worths);
}

EncoderParetoChart::EncoderParetoChart(QWidget* parent)
    : FrontierChart({.widestTick = QStringLiteral("000 MiB"),
                     .widestEntry = tr("Exact"),
                     .legendIndent = 18,
                     .legendRoom = 24,
                     .ring = 8,
                     .ringStays = true,
                     .walkWraps = true,
                     .handOverPoints = true},
                    tr("Compare encoders to see what recall costs."), parent)
{
    setObjectName(QStringLiteral("encoderPareto"));
    setAccessibleName(tr("Encoders, what they find against how fast they are"));
}

void EncoderParetoChart::setComparison(std::shared_ptr<const report::EncoderComparison> comparison)
{
    m_comparison = std::move(comparison);
    rebuild();
}

void EncoderParetoChart::setLoss(EncoderLoss loss)
{
    m_loss = loss;
    rebuild();
}

void EncoderParetoChart::setSpeed(EncoderSpeed speed)
{
    m_speed = speed;
    rebuild();
}

void EncoderParetoChart::setCurrent(const std::optional<report::EncoderPoint>& point)
{
    m_current = point;
    showSeries();
    showAxes();
}

std::optional<QPointF> EncoderParetoChart::currentPlace() const
{
    if (!m_current)
        return {};
    const QPointF at(encoderLossOf(m_loss, *m_current), encoderSpeedOf(m_speed, *m_current));
    return std::isfinite(at.x()) && std::isfinite(at.y()) ? std::optional(at) : std::nullopt;
}

void EncoderParetoChart::rebuild()
{
    const int count = m_comparison ? static_cast<int>(m_comparison->points.size()) : 0;
    const auto front = m_comparison ? encoderFronts(*m_comparison, m_loss, m_speed) : std::vector<bool>();
    m_methods.clear();
    for (int at = 0; at < count; ++at)
        if (const QString title = QString::fromStdString(point(at).title); !point(at).exact && std::ranges::find(m_methods, title) == m_methods.end())
            m_methods.push_back(title);
    std::vector<FrontierPoint> points;
    for (int at = 0; at < count; ++at) {
        const auto of = point(at).exact ? m_methods.end() : std::ranges::find(m_methods, QString::fromStdString(point(at).title));
        points.push_back({at, encoderLossOf(m_loss, point(at)), encoderSpeedOf(m_speed, point(at)), static_cast<std::size_t>(of - m_methods.begin()), front[static_cast<std::size_t>(at)]});
    }
    showSeries();
    setPoints(points, count);
    showAxes();
}

/// The methods, the exact encoder after them, what is on screen now at the end. Encoders beyond the theme's colours have diamonds, so that
/// none looks like another.
void EncoderParetoChart::showSeries()
{
    using enum FrontierSeries::Mark;
    std::vector<FrontierSeries> series;
    for (int at = 0; at < static_cast<int>(m_methods.size()); ++at)
        series.push_back({.title = m_methods[static_cast<std::size_t>(at)], .mark = at < kColors ? Disc : Diamond, .color = at, .line = at < kColors ? Qt::SolidLine : Qt::DashLine});
    if (m_comparison && std::ranges::any_of(m_comparison->points, &report::EncoderPoint::exact)) // slower than its line is no gain
        series.push_back({.title = tr("Exact"), .mark = Square, .line = Qt::DashLine, .lineWidth = 1, .across = true});
    if (m_current)
        series.push_back({.title = tr("now"), .ink = Ink::Accent, .filled = false});
    setSeries(series);
}

void EncoderParetoChart::showAxes()
{
    double xLow = INFINITY, xHigh = -INFINITY, yLow = INFINITY, yHigh = 0;
    const bool logarithmic = !moreIsBetter(m_loss);
    const auto add = [&](double loss, double speed) {
        if (!logarithmic || loss > 0) {
            xLow = std::min(xLow, logarithmic ? std::log10(loss) : loss);
            xHigh = std::max(xHigh, logarithmic ? std::log10(loss) : loss);
        }
        yLow = std::min(yLow, speed);
        yHigh = std::max(yHigh, speed);
    };
    for (const FrontierPoint& each : points())
        add(each.x, each.y);
    if (const auto now = currentPlace())
        add(now->x(), now->y());
    if (!(yHigh > 0))
        return;
    if (xLow > xHigh)
        xLow = xHigh = logarithmic ? -3 : 1;
    const double pad = std::max(0.06 * (xHigh - xLow), logarithmic ? 0.3 : 0.005), margin = std::max(0.08 * std::log10(yHigh / yLow), 0.06);
    const QString title = encoderLossTitle(m_loss);
    FrontierAxis across{.title = title, .logarithmic = logarithmic, .format = [loss = m_loss](double value) { return formatEncoderLoss(loss, value); }};
    if (logarithmic) {
        across.title = tr("%1 over the exact encoder's (less is better; none at the left edge)").arg(title);
        across.low = xLow - 2 * pad; // room at the foot for what increases nothing
        across.high = xHigh + pad;
    } else {
        across.low = std::max(0.0, xLow - pad);
        across.high = std::min(xHigh + pad, std::max(1 + 0.03 * (1 - across.low), 1e-6));
        across.lastTick = 1 + 1e-9;
    }
    setAxes(across, {.title = encoderSpeedTitle(m_speed),
                     .low = std::log10(yLow) - margin,
                     .high = std::log10(yHigh) + margin,
                     .logarithmic = true,
                     .format = [speed = m_speed](double value) { return formatEncoderSpeed(speed, value); }});
}

void EncoderParetoChart::drawOver(QPainter& painter, const QRectF& area) const
{
    const auto now = currentPlace();
    if (!now)
        return;
    painter.setBrush(Qt::NoBrush);
    painter.setPen(QPen(Theme::instance().color(Ink::Accent), 2.4));
    painter.drawEllipse(place(area, now->x(), now->y()), 7, 7);
}

QStringList EncoderParetoChart::linesOf(int index) const
{
    const auto& of = point(index);
    QStringList lines{QString::fromStdString(of.title)};
    if (!of.settings.empty())
        lines << QString::fromStdString(of.settings);
    if (of.exact)
        return lines << tr("%1 tokens/s at 64 a call, %2 MACs").arg(formatCount(encoderSpeedOf(EncoderSpeed::Tokens64, of)), formatCount(of.cost.macs));
    lines << tr("recall %1, p5 %2, least %3").arg(formatPercent(of.quality.recallMean, 2), formatPercent(of.quality.recallP5), formatPercent(of.quality.recallMin));
    lines << tr("FVU %1 (exact %2)").arg(formatNumber(of.quality.fvu), formatNumber(of.quality.fvuExact));
    if (std::isfinite(of.quality.loss))
        lines << tr("model's loss %1 (exact codes %2, model alone %3)").arg(formatNumber(of.quality.loss), formatNumber(of.quality.lossExact), formatNumber(of.quality.lossDense));
    QString speed = tr("%1 MACs, %2 read").arg(formatCount(of.cost.macs), formatBytes(of.cost.bytesRead));
    if (const double tokens = encoderSpeedOf(EncoderSpeed::Tokens64, of); std::isfinite(tokens))
        speed += tr(", %1 tokens/s at 64 a call").arg(formatCount(tokens));
    return lines << speed;
}

QString EncoderParetoChart::figureCsv() const
{
    QStringList head{tr("method"), tr("settings")};
    for (const EncoderLoss loss : kLosses)
        head << encoderLossTitle(loss);
    for (const EncoderSpeed speed : kSpeeds)
        head << encoderSpeedTitle(speed);
    head << tr("FVU") << tr("loss") << tr("loss of exact codes") << tr("loss of the model alone") << tr("build seconds") << tr("failure");
    const auto line = [](const QStringList& cells) {
        QStringList quoted;
        for (const QString& cell : cells)
            quoted << csvField(cell);
        return quoted.join(QLatin1Char(',')) + QLatin1Char('\n');
    };
    QString text = line(head);
    for (int at = 0; m_comparison && at < static_cast<int>(m_comparison->points.size()); ++at) {
        const auto& of = point(at);
        QStringList cells{QString::fromStdString(of.method), QString::fromStdString(of.settings)};
        for (const EncoderLoss loss : kLosses)
            cells << exact(encoderLossOf(loss, of));
        for (const EncoderSpeed speed : kSpeeds)
            cells << exact(encoderSpeedOf(speed, of));
        text += line(cells << exact(of.quality.fvu) << exact(of.quality.loss) << exact(of.quality.lossExact) << exact(of.quality.lossDense) << exact(of.buildSeconds) << QString::fromStdString(of.failure));
    }
    return text;
}

QString EncoderParetoChart::figureCaption() const
{
    if (!m_comparison)
        return {};
    return tr("%1: %2 latents of width %3, k = %4, measured on %5 tokens of %6")
        .arg(QString::fromStdString(m_comparison->dictionary))
        .arg(m_comparison->latents)
        .arg(m_comparison->width)
        .arg(m_comparison->k)
        .arg(m_comparison->tokenCount)
        .arg(QString::fromStdString(m_comparison->tokens));
}

} // namespace tamis::views
