// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/attention/attention_frontier.h"

#include "views/attention/attention_words.h"
#include "views/common/figure_export.h"
#include "views/common/number_format.h"
#include "views/common/theme.h"

#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>

#include <algorithm>
#include <cmath>
#include <tuple>

namespace tamis::views {
namespace {
constexpr int kColors = 10;      ///< of the theme, before they repeat
constexpr double kWide = 30;     ///< largest over least from which an axis is logarithmic
constexpr AttentionError kErrors[] = {AttentionError::Output, AttentionError::Map, AttentionError::Kl, AttentionError::Cosine, AttentionError::Agreement, AttentionError::Top1, AttentionError::Perplexity};
QString exactNumber(double value) { return std::isfinite(value) ? QString::number(value, 'g', 12) : QString(); }
} // namespace

QString attentionErrorTitle(AttentionError error)
{
    switch (error) {
    case AttentionError::Output: return QObject::tr("Output error, mean over heads");
    case AttentionError::Map: return QObject::tr("Map error, mean over heads");
    case AttentionError::Kl: return QObject::tr("KL divergence from the exact model");
    case AttentionError::Cosine: return QObject::tr("Cosine with the exact model's output");
    case AttentionError::Agreement: return QObject::tr("Same answer as the exact model");
    case AttentionError::Top1: return QObject::tr("Accuracy, top 1");
    case AttentionError::Perplexity: return QObject::tr("Perplexity");
    }
    return {};
}

QString attentionCostTitle(AttentionCost cost)
{
    switch (cost) {
    case AttentionCost::Macs: return QObject::tr("MACs of the model, one sample");
    case AttentionCost::Scratch: return QObject::tr("Scratch memory of the attention");
    case AttentionCost::Latency: return QObject::tr("Measured latency");
    }
    return {};
}

bool moreIsBetter(AttentionError error) { return error == AttentionError::Cosine || error == AttentionError::Agreement || error == AttentionError::Top1; }

double attentionErrorOf(AttentionError error, const report::AttentionPoint& point)
{
    if (!point.failure.empty())
        return report::kNotMeasured;
    switch (error) {
    case AttentionError::Output: return point.outputError;
    case AttentionError::Map: return point.mapError;
    case AttentionError::Kl: return point.kl;
    case AttentionError::Cosine: return point.cosine;
    case AttentionError::Agreement: return point.agreement;
    case AttentionError::Top1: return point.top1;
    case AttentionError::Perplexity: return point.perplexity;
    }
    return report::kNotMeasured;
}

double attentionCostOf(AttentionCost cost, const report::AttentionPoint& point)
{
    switch (cost) {
    case AttentionCost::Macs: return static_cast<double>(point.macs);
    case AttentionCost::Scratch: return static_cast<double>(point.liveBytes);
    case AttentionCost::Latency: return point.latencyMs;
    }
    return report::kNotMeasured;
}

QString formatAttentionError(AttentionError error, double value)
{
    return error == AttentionError::Agreement || error == AttentionError::Top1 ? formatPercent(value) : formatNumber(value, error == AttentionError::Cosine ? 4 : 3);
}

QString formatAttentionCost(AttentionCost cost, double value)
{
    return cost == AttentionCost::Macs ? formatCount(value) : cost == AttentionCost::Scratch ? formatBytes(value) : formatMilliseconds(value);
}

AttentionFrontier::AttentionFrontier(QWidget* parent)
    : FrontierChart({.widestTick = QStringLiteral("100.0 %"), .widestEntry = tr("Linformer, trained"), .handOverPoints = true}, tr("Compare methods to see what cheaper attention costs."), parent)
{
    setObjectName(QStringLiteral("attentionFrontier"));
    setAccessibleName(tr("Attention methods, error against cost"));
}

void AttentionFrontier::setComparison(std::shared_ptr<const report::AttentionComparison> comparison)
{
    m_comparison = std::move(comparison);
    rebuild();
}

void AttentionFrontier::setError(AttentionError error)
{
    m_error = error;
    rebuild();
}

void AttentionFrontier::setCost(AttentionCost cost)
{
    m_cost = cost;
    rebuild();
}

void AttentionFrontier::setChosen(int index)
{
    m_chosen = index;
    update();
}

QString AttentionFrontier::emptyText() const
{
    return m_comparison && !m_comparison->points.empty() ? tr("%1 was not measured.").arg(attentionErrorTitle(m_error)) : FrontierChart::emptyText();
}

/// Exact attention first, then the methods in the order they come, trivial ones among them.
std::vector<FrontierSeries> AttentionFrontier::seriesOf(std::vector<std::size_t>& of) const
{
    using enum FrontierSeries::Mark;
    constexpr FrontierSeries::Mark kShapes[] = {Cross, Up, Down, Diamond};
    std::vector<FrontierSeries> series{{.title = tr("exact"), .mark = Square}};
    std::vector<std::tuple<QString, bool, bool>> keys{{series.front().title, false, false}}; // a method may be a trivial operator at one of its settings
    int colors = 0;
    std::size_t shapes = 0;
    QStringList colored;
    for (std::size_t at = 0; m_comparison && at < m_comparison->points.size(); ++at) {
        const auto& point = m_comparison->points[at];
        if (point.method.empty()) {
            of.push_back(0);
            continue;
        }
        const QString name = words(point.title);
        const std::tuple key(name, point.tuned, point.baseline);
        const auto known = std::ranges::find(keys, key);
        of.push_back(static_cast<std::size_t>(known - keys.begin()));
        if (known != keys.end())
            continue;
        keys.push_back(key);
        FrontierSeries made{.title = point.tuned ? tr("%1, trained").arg(name) : point.baseline ? tr("%1, trivial").arg(name) : name};
        if (point.baseline) {
            made.mark = kShapes[shapes++ % std::size(kShapes)];
            made.filled = false;
            made.line = Qt::DashLine;
            made.lineWidth = 1.2;
            made.across = true;
        } else {
            auto color = static_cast<int>(colored.indexOf(name));
            if (color < 0) {
                color = colors++;
                colored << name;
            }
            made.color = color;
            const bool again = color >= kColors; // the same colours once more
            made.mark = point.tuned ? (again ? Down : Diamond) : (again ? Up : Disc);
            made.line = again ? Qt::DashDotLine : Qt::SolidLine;
        }
        series.push_back(made);
    }
    return series;
}

std::vector<bool> AttentionFrontier::fronts(const std::vector<std::size_t>& of) const
{
    std::vector<FrontierWorth> worths;
    for (std::size_t at = 0; at < of.size(); ++at) {
        const auto& one = m_comparison->points[at];
        worths.push_back({std::to_string(of[at]), (moreIsBetter(m_error) ? 1 : -1) * attentionErrorOf(m_error, one), -place(one)});
    }
    return frontiersOf(worths);
}

double AttentionFrontier::place(const report::AttentionPoint& point) const
{
    const double cost = attentionCostOf(m_cost, point);
    return point.baseline && !std::isfinite(cost) ? 0 : cost;
}

void AttentionFrontier::rebuild()
{
    const int count = m_comparison ? static_cast<int>(m_comparison->points.size()) : 0;
    std::vector<std::size_t> of;
    auto series = seriesOf(of);
    std::vector<FrontierPoint> points;
    if (count > 0) {
        const auto front = fronts(of);
        for (int at = 0; at < count; ++at) {
            const auto i = static_cast<std::size_t>(at);
            points.push_back({at, place(point(at)), attentionErrorOf(m_error, point(at)), of[i], front[i]});
        }
    } else {
        series.clear();
    }
    setSeries(series);
    setPoints(points, count);
    if (m_chosen >= count)
        m_chosen = -1;
    showAxes();
}

void AttentionFrontier::showAxes()
{
    const auto axis = [this](bool vertical) {
        double low = INFINITY, high = -INFINITY, least = INFINITY;
        for (const FrontierPoint& each : points()) {
            const double value = vertical ? each.y : each.x;
            low = std::min(low, value);
            high = std::max(high, value);
            if (value > 0)
                least = std::min(least, value);
        }
        FrontierAxis made;
        made.logarithmic = least > 0 && std::isfinite(least) && high > kWide * least;
        if (made.logarithmic) {
            const double from = std::log10(std::max(least, high * 1e-6)), to = std::log10(high), pad = 0.06 * (to - from);
            made.low = from - pad;
            made.high = to + pad;
        } else {
            const double pad = std::max(0.08 * (high - low), 0.01 * std::abs(high) + 1e-12);
            made.low = low >= 0 ? std::max(0.0, low - pad) : low - pad;
            made.high = high + pad;
        }
        return made;
    };
    if (points().empty())
        return;
    FrontierAxis x = axis(false), y = axis(true);
    x.title = attentionCostTitle(m_cost);
    x.format = [cost = m_cost](double value) { return formatAttentionCost(cost, value); };
    x.bytes = m_cost == AttentionCost::Scratch;
    y.title = moreIsBetter(m_error) ? attentionErrorTitle(m_error) : tr("%1 (less is upwards)").arg(attentionErrorTitle(m_error));
    y.backwards = !moreIsBetter(m_error);
    y.format = [error = m_error](double value) { return formatAttentionError(error, value); };
    setAxes(x, y);
}

void AttentionFrontier::drawOn(QPainter& painter, const FrontierPoint& point, const QPointF& at) const
{
    if (point.index != m_chosen)
        return;
    painter.setPen(QPen(Theme::instance().color(Ink::Accent), 2.4));
    painter.drawEllipse(at, 8, 8);
}

QStringList AttentionFrontier::linesOf(int index) const
{
    const auto& of = point(index);
    QStringList lines{of.tuned ? tr("%1, trained around it").arg(words(of.title)) : words(of.title)};
    if (!of.settings.empty())
        lines << words(of.settings);
    lines << tr("%1 MACs, %2 scratch").arg(formatCount(static_cast<double>(of.macs)), formatBytes(static_cast<double>(of.liveBytes)));
    for (const auto error : kErrors)
        if (const double value = attentionErrorOf(error, of); std::isfinite(value))
            lines << QStringLiteral("%1: %2").arg(attentionErrorTitle(error), formatAttentionError(error, value));
    if (std::isfinite(of.latencyMs))
        lines << (std::isfinite(of.wholeLatencyMs) ? tr("%1 measured, exact %2").arg(formatMilliseconds(of.latencyMs), formatMilliseconds(of.wholeLatencyMs)) : tr("%1 measured").arg(formatMilliseconds(of.latencyMs)));
    if (!of.method.empty())
        lines << tr("Double click or Enter: take this setting");
    return lines;
}

void AttentionFrontier::mouseDoubleClickEvent(QMouseEvent* event)
{
    FrontierChart::mousePressEvent(event); // the point under it becomes the chosen one, if there is one
    if (m_chosen >= 0 && event->button() == Qt::LeftButton && QLineF(toPixel(m_chosen), event->position()).length() < 12)
        emit pointTaken(m_chosen);
}

void AttentionFrontier::keyPressEvent(QKeyEvent* event)
{
    FrontierChart::keyPressEvent(event); // Enter makes the point walked to the chosen one
    if ((event->key() == Qt::Key_Return || event->key() == Qt::Key_Enter) && m_chosen >= 0)
        emit pointTaken(m_chosen);
}

QString AttentionFrontier::figureCsv() const
{
    QString table = QStringLiteral("method,title,settings,baseline,trained,macs,scratch_bytes,map_error,output_error,kl,cosine,agreement,top1,perplexity,latency_ms,exact_latency_ms,failure\n");
    if (!m_comparison)
        return table;
    for (const auto& of : m_comparison->points)
        table += QStringList{csvField(words(of.method)), csvField(words(of.title)), csvField(words(of.settings)), QString::number(of.baseline), QString::number(of.tuned),
                             QString::number(of.macs), QString::number(of.liveBytes), exactNumber(of.mapError), exactNumber(of.outputError), exactNumber(of.kl), exactNumber(of.cosine),
                             exactNumber(of.agreement), exactNumber(of.top1), exactNumber(of.perplexity), exactNumber(of.latencyMs), exactNumber(of.wholeLatencyMs), csvField(words(of.failure))}
                     .join(QLatin1Char(',')) +
                 QLatin1Char('\n');
    return table;
}

QString AttentionFrontier::figureCaption() const { return m_comparison ? tr("%1: attention methods on %2").arg(words(m_comparison->model), words(m_comparison->samples)) : QString(); }

} // namespace tamis::views
