// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/reuse/reuse_frontier.h"

#include "views/common/figure_export.h"
#include "views/common/number_format.h"
#include "views/common/theme.h"
#include "views/reuse/reuse_run_model.h"
#include "views/reuse/reuse_words.h"

#include <QPainter>

#include <algorithm>
#include <cmath>
#include <iterator>

namespace tamis::views {
namespace {
constexpr int kColors = 10; ///< of the theme, before they repeat
QString exact(double value) { return std::isfinite(value) ? QString::number(value, 'g', 12) : QString(); }
} // namespace

QString reuseLossTitle(ReuseLoss loss)
{
    switch (loss) {
    case ReuseLoss::MeanError: return QObject::tr("Mean error");
    case ReuseLoss::WorstError: return QObject::tr("Worst error");
    case ReuseLoss::Kl: return QObject::tr("Mean KL");
    case ReuseLoss::Agreement: return QObject::tr("Same label");
    case ReuseLoss::FalseHits: return QObject::tr("False hits");
    }
    return {};
}

QString reuseCostTitle(ReuseCost cost)
{
    switch (cost) {
    case ReuseCost::Macs: return QObject::tr("MACs, of all frames whole");
    case ReuseCost::Time: return QObject::tr("Measured time, of all frames whole");
    case ReuseCost::Misses: return QObject::tr("Misses, of all lookups");
    }
    return {};
}

double reuseLossOf(ReuseLoss loss, const report::ReuseRun& run)
{
    if (!run.failure.empty())
        return report::kNotMeasured;
    switch (loss) {
    case ReuseLoss::MeanError: return run.meanError;
    case ReuseLoss::WorstError: return run.worstError;
    case ReuseLoss::Kl: return run.meanKl;
    case ReuseLoss::Agreement: return run.agreement;
    case ReuseLoss::FalseHits: return runValue(run, ReuseRunModel::FalseColumn);
    }
    return report::kNotMeasured;
}

double reuseCostOf(ReuseCost cost, const report::ReuseRun& run)
{
    if (!run.failure.empty())
        return report::kNotMeasured;
    if (cost != ReuseCost::Misses)
        return cost == ReuseCost::Macs ? run.macsShare : run.timeShare;
    const auto lookups = static_cast<double>(run.hits + run.misses);
    return lookups > 0 ? static_cast<double>(run.misses) / lookups : report::kNotMeasured;
}

ReuseFrontier::ReuseFrontier(QWidget* parent)
    : FrontierChart({.widestTick = QStringLiteral("100.0 %"), .widestEntry = tr("frames dropped"), .ringStays = true, .handOverPoints = true}, tr("What runs cost and lose is shown here."), parent)
{
    setObjectName(QStringLiteral("reuseFrontier"));
    setAccessibleName(tr("Runs, error against cost"));
}

void ReuseFrontier::setRuns(std::shared_ptr<const ShownRuns> runs)
{
    m_runs = std::move(runs);
    rebuild();
}

void ReuseFrontier::setLoss(ReuseLoss loss)
{
    m_loss = loss;
    rebuild();
}

void ReuseFrontier::setCost(ReuseCost cost)
{
    m_cost = cost;
    rebuild();
}

void ReuseFrontier::setChosen(int index)
{
    m_chosen = index;
    update();
}

QString ReuseFrontier::emptyText() const
{
    if (!m_runs || m_runs->count() == 0)
        return FrontierChart::emptyText();
    if (m_loss != ReuseLoss::FalseHits && m_cost != ReuseCost::Misses)
        return tr("%1 was not measured.").arg(reuseLossTitle(m_loss));
    const bool looked = std::ranges::any_of(m_runs->runs, [](const auto& run) { return run->hits + run->misses > 0; });
    return looked ? tr("False hits were not measured: this model has no classes, so that nothing says whether two frames are alike.") : tr("No run looks anything up by a key: content keys do.");
}

void ReuseFrontier::rebuild()
{
    using enum FrontierSeries::Mark;
    constexpr FrontierSeries::Mark kShapes[] = {Square, Cross, Up, Down, Diamond};
    const int count = m_runs ? m_runs->count() : 0;
    std::vector<FrontierSeries> series;
    std::vector<std::string> methods;
    std::vector<FrontierPoint> points;
    std::vector<FrontierWorth> worths;
    int colors = 0;
    std::size_t shapes = 0;
    for (int at = 0; at < count; ++at) {
        const auto& of = run(at);
        const double loss = reuseLossOf(m_loss, of), cost = reuseCostOf(m_cost, of);
        const auto known = std::ranges::find(methods, of.title);
        const auto index = static_cast<std::size_t>(known - methods.begin());
        if (known == methods.end()) {
            methods.push_back(of.title);
            FrontierSeries made{.title = words(of.title)};
            made.line = Qt::DashLine;
            if (of.trivial) {
                made.mark = kShapes[shapes++ % std::size(kShapes)];
                made.filled = false;
                made.lineWidth = 1.2;
            } else {
                made.color = colors++;
                made.line = made.color < kColors ? Qt::SolidLine : Qt::DashDotLine;
            }
            series.push_back(made);
        }
        points.push_back({at, cost, loss, index, false});
        worths.push_back({of.title, (m_loss == ReuseLoss::Agreement ? 1 : -1) * loss, -cost});
    }
    const auto front = frontiersOf(worths);
    for (std::size_t i = 0; i < points.size(); ++i)
        points[i].front = front[i];
    setSeries(series);
    setPoints(points, count);
    if (m_chosen >= count)
        m_chosen = -1;
    showAxes();
}

void ReuseFrontier::showAxes()
{
    if (points().empty())
        return;
    double xHigh = 0, yLow = INFINITY, yHigh = -INFINITY;
    for (const FrontierPoint& each : points()) {
        xHigh = std::max(xHigh, each.x);
        yLow = std::min(yLow, each.y);
        yHigh = std::max(yHigh, each.y);
    }
    const bool agreement = m_loss == ReuseLoss::Agreement;
    if (!agreement)
        yLow = 0; // errors are compared by their heights
    if (m_loss == ReuseLoss::FalseHits)
        yHigh = std::max(yHigh, 0.01); // none at all is a line along the best
    const double pad = std::max(0.08 * (yHigh - yLow), 0.01 * std::abs(yHigh) + 1e-9);
    FrontierAxis x{.title = reuseCostTitle(m_cost), .low = 0, .high = std::max(xHigh, 1.0) * 1.05, .lastTick = std::max(xHigh, 1.0), .format = [](double value) { return formatPercent(value, 0); }};
    FrontierAxis y{.title = agreement ? reuseLossTitle(m_loss) : tr("%1 (less is upwards)").arg(reuseLossTitle(m_loss)), .low = agreement ? std::max(0.0, yLow - pad) : -0.3 * pad,
                   .high = agreement ? std::min(yHigh + pad, 1.01) : yHigh + pad, .backwards = !agreement};
    y.format = [share = lossIsShare(), digits = agreement || yHigh > 0.1 ? 0 : 1](double value) { return share ? formatPercent(value, digits) : formatNumber(value, 2); };
    setAxes(x, y);
}

void ReuseFrontier::drawOn(QPainter& painter, const FrontierPoint& point, const QPointF& at) const
{
    if (point.index != m_chosen)
        return;
    painter.setBrush(Qt::NoBrush);
    painter.setPen(QPen(Theme::instance().color(Ink::Accent), 2.4));
    painter.drawEllipse(at, 8, 8);
}

QStringList ReuseFrontier::linesOf(int index) const
{
    const auto& of = run(index);
    QStringList lines{words(of.title)};
    if (!of.settings.empty())
        lines << words(of.settings);
    lines << tr("MACs %1, time %2").arg(formatPercent(of.macsShare), formatPercent(of.timeShare));
    lines << tr("error %1 in the mean, %2 at worst").arg(formatNumber(of.meanError, 3), formatNumber(of.worstError, 3));
    if (std::isfinite(of.agreement))
        lines << tr("same label in %1 of the frames").arg(formatPercent(of.agreement));
    if (of.hits + of.misses > 0)
        lines << (of.falseHitsMeasured ? tr("%1 hits, of these %2 false; %3 misses").arg(of.hits).arg(of.falseHits).arg(of.misses) : tr("%1 hits, false ones not measured; %2 misses").arg(of.hits).arg(of.misses));
    return lines;
}

QString ReuseFrontier::figureCsv() const
{
    QString table = QStringLiteral("method,title,settings,trivial,macs_share,overhead_share,time_share,mean_error,worst_error,mean_kl,agreement,drift,computed_whole,hits,false_hits,misses,failure\n");
    if (!m_runs)
        return table;
    for (const auto& run : m_runs->runs) {
        const report::ReuseRun& of = *run;
        table += QStringList{csvField(words(of.method)), csvField(words(of.title)), csvField(words(of.settings)), QString::number(of.trivial), exact(of.macsShare), exact(of.overheadShare),
                             exact(of.timeShare), exact(of.meanError), exact(of.worstError), exact(of.meanKl), exact(of.agreement), exact(of.drift), QString::number(of.computedWhole),
                             QString::number(of.hits), of.falseHitsMeasured ? QString::number(of.falseHits) : QString(), QString::number(of.misses), csvField(words(of.failure))}
                     .join(QLatin1Char(',')) +
                 QLatin1Char('\n');
    }
    return table;
}

} // namespace tamis::views
