// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/tokens/token_pareto_chart.h"

#include "views/common/figure_export.h"
#include "views/common/number_format.h"
#include "views/common/theme.h"

#include <QKeyEvent>
#include <QMouseEvent>

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
constexpr double kReach = 10; ///< pixels from a point within which it is meant
constexpr TokenQuality kQualities[] = {TokenQuality::Top1, TokenQuality::Agreement, TokenQuality::Kl, TokenQuality::SpeedUp};

bool moreIsBetter(TokenQuality quality) { return quality != TokenQuality::Kl; }
QString exact(double value) { return std::isfinite(value) ? QString::number(value, 'g', 12) : QString(); }
QString text(const std::string& s) { return QString::fromStdString(s); }
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
    case TokenQuality::SpeedUp: return comparison.points.empty() || !(point.latencyMs > 0) ? report::kNotMeasured : comparison.points.front().latencyMs / point.latencyMs;
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
    struct Value {
        double quality, cost; ///< more and less are better
    };
    std::vector<Value> values;
    for (const auto& point : comparison.points)
        values.push_back({(moreIsBetter(quality) ? 1 : -1) * tokenQualityOf(quality, comparison, point), tokenCostOf(cost, point)});
    std::vector<bool> front;
    for (std::size_t i = 0; i < values.size(); ++i) {
        bool on = std::isfinite(values[i].quality) && std::isfinite(values[i].cost);
        for (std::size_t j = 0; j < values.size() && on && quality != TokenQuality::SpeedUp; ++j) // speed is no trade for cost: each is shown
            on = comparison.points[j].title != comparison.points[i].title ||
                 !(values[j].quality >= values[i].quality && values[j].cost <= values[i].cost && (values[j].quality > values[i].quality || values[j].cost < values[i].cost));
        front.push_back(on);
    }
    return front;
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

TokenParetoChart::TokenParetoChart(QWidget* parent) : QWidget(parent), m_emptyText(tr("Compare methods to see what fewer tokens cost."))
{
    setMouseTracking(true);
    setFocusPolicy(Qt::StrongFocus);
    setObjectName(QStringLiteral("tokenPareto"));
    setAccessibleName(tr("Token reductions, what is left of the model against what it costs"));
    connect(&Theme::instance(), &Theme::changed, this, qOverload<>(&QWidget::update));
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

void TokenParetoChart::setEmptyText(const QString& text)
{
    m_emptyText = text;
    update();
}

void TokenParetoChart::rebuild()
{
    m_points.clear();
    m_front.clear();
    m_methods.clear();
    m_hovered = -1;
    const int count = m_comparison ? static_cast<int>(m_comparison->points.size()) : 0;
    if (m_comparison)
        m_front = tokenFronts(*m_comparison, m_quality, m_cost);
    int colors = 0, shapes = 0;
    for (int at = 0; at < count; ++at) {
        if (!isWhole(at) && std::ranges::find(m_methods, text(point(at).title), &Method::title) == m_methods.end())
            m_methods.push_back({text(point(at).title), point(at).baseline, point(at).baseline ? shapes++ : colors++});
        const Point made{at, tokenCostOf(m_cost, point(at)), tokenQualityOf(m_quality, *m_comparison, point(at))};
        if (std::isfinite(made.cost) && std::isfinite(made.quality))
            m_points.push_back(made);
    }
    std::ranges::stable_sort(m_points, {}, &Point::cost);
    if (m_walked >= count)
        m_walked = -1;
    if (m_chosen >= count)
        m_chosen = -1;
    setAccessibleDescription(tr("%1 points").arg(m_points.size()));
    update();
}

const TokenParetoChart::Method& TokenParetoChart::methodOf(int index) const
{
    return *std::ranges::find(m_methods, text(point(index).title), &Method::title); // rebuild() has one for each but the whole model
}

TokenParetoChart::Frame TokenParetoChart::frame() const
{
    const QFontMetricsF metrics(Theme::smallFont(font()));
    Frame f;
    double legend = metrics.horizontalAdvance(tr("what the MACs promise"));
    for (const auto& method : m_methods)
        legend = std::max(legend, metrics.horizontalAdvance(method.title));
    legend = std::min(legend + 28, 0.3 * width());
    const double left = metrics.height() + metrics.horizontalAdvance(QStringLiteral("100.0 %")) + 16;
    f.area = QRectF(rect()).adjusted(left, 12, -legend - 20, -2 * metrics.height() - 14);
    f.legend = QRectF(f.area.right() + 14, f.area.top(), legend, f.area.height());
    double xLow = INFINITY, xHigh = -INFINITY, yLow = INFINITY, yHigh = -INFINITY;
    for (const Point& each : m_points) {
        xLow = std::min(xLow, each.cost);
        xHigh = std::max(xHigh, each.cost);
        yLow = std::min(yLow, each.quality);
        yHigh = std::max(yHigh, each.quality);
    }
    if (xLow > xHigh)
        return f;
    if (showsPromise()) {
        yLow = std::min(yLow, 1.0);
        yHigh = std::max(yHigh, tokenCostOf(TokenCost::Macs, m_comparison->points.front()) / xLow);
    }
    const double padX = std::max(0.06 * (xHigh - xLow), 0.01 * std::abs(xHigh) + 1e-12), padY = std::max(0.08 * (yHigh - yLow), 0.01 * std::abs(yHigh) + 1e-9);
    const bool share = m_quality == TokenQuality::Top1 || m_quality == TokenQuality::Agreement;
    f.xLow = std::max(0.0, xLow - padX);
    f.xHigh = xHigh + padX;
    f.yLow = std::max(0.0, yLow - padY);
    f.yHigh = share ? std::min(yHigh + padY, 1.01) : yHigh + padY;
    return f;
}

QPointF TokenParetoChart::place(const Frame& f, double cost, double quality) const
{
    const double x = (cost - f.xLow) / (f.xHigh - f.xLow), y = (quality - f.yLow) / (f.yHigh - f.yLow);
    return {f.area.left() + x * f.area.width(), moreIsBetter(m_quality) ? f.area.bottom() - y * f.area.height() : f.area.top() + y * f.area.height()};
}

QPointF TokenParetoChart::toPixel(int index) const
{
    const auto found = std::ranges::find(m_points, index, &Point::index);
    return found == m_points.end() ? QPointF(-1, -1) : place(frame(), found->cost, found->quality);
}

QPointF TokenParetoChart::promised(double macs) const
{
    return showsPromise() ? place(frame(), macs, tokenCostOf(TokenCost::Macs, m_comparison->points.front()) / macs) : QPointF(-1, -1);
}

int TokenParetoChart::pointAt(const QPointF& position) const
{
    const Frame f = frame();
    int best = -1;
    double nearest = kReach;
    for (const Point& each : m_points) {
        const QPointF d = place(f, each.cost, each.quality) - position;
        if (const double distance = std::hypot(d.x(), d.y()); distance < nearest) {
            nearest = distance;
            best = each.index;
        }
    }
    return best;
}

QStringList TokenParetoChart::hoverLines() const
{
    const int index = m_hovered >= 0 ? m_hovered : hasFocus() ? m_walked : -1;
    if (index < 0 || !m_comparison)
        return {};
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

void TokenParetoChart::mouseMoveEvent(QMouseEvent* event)
{
    if (const int at = pointAt(event->position()); std::exchange(m_hovered, at) != at)
        update();
}

void TokenParetoChart::mousePressEvent(QMouseEvent* event)
{
    const int at = event->button() == Qt::LeftButton ? pointAt(event->position()) : -1;
    if (at < 0)
        return QWidget::mousePressEvent(event);
    m_walked = at;
    update();
    emit pointActivated(at);
}

void TokenParetoChart::keyPressEvent(QKeyEvent* event)
{
    const int step = event->key() == Qt::Key_Right ? 1 : event->key() == Qt::Key_Left ? -1 : 0;
    if (step != 0 && !m_points.empty()) {
        const auto found = std::ranges::find(m_points, m_walked, &Point::index);
        const auto at = found - m_points.begin(), last = static_cast<std::ptrdiff_t>(m_points.size()) - 1;
        const auto next = found == m_points.end() ? (step > 0 ? 0 : last) : std::clamp(at + step, std::ptrdiff_t{0}, last);
        m_walked = m_points[static_cast<std::size_t>(next)].index;
        m_hovered = -1;
        setAccessibleDescription(hoverLines().join(QStringLiteral(", ")));
        update();
    } else if ((event->key() == Qt::Key_Return || event->key() == Qt::Key_Enter) && m_walked >= 0) {
        emit pointActivated(m_walked);
    } else {
        QWidget::keyPressEvent(event);
    }
}

void TokenParetoChart::leaveEvent(QEvent*)
{
    m_hovered = -1;
    update();
}

void TokenParetoChart::focusInEvent(QFocusEvent* event)
{
    QWidget::focusInEvent(event);
    update();
}

void TokenParetoChart::focusOutEvent(QFocusEvent* event)
{
    QWidget::focusOutEvent(event);
    update();
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
