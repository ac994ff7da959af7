// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/encoder/surface_view.h"

#include "views/common/figure_export.h"
#include "views/common/number_format.h"
#include "views/common/theme.h"

#include <QFontMetricsF>
#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
constexpr report::RecallMeasure kMeasures[] = {report::RecallMeasure::Mean, report::RecallMeasure::P5, report::RecallMeasure::P1, report::RecallMeasure::Least};

QString exact(double value) { return std::isfinite(value) ? QString::number(value, 'g', 12) : QString(); }

/// Index of the value of which log2 is nearest to `at`.
std::size_t nearest(const std::vector<std::int64_t>& values, double at)
{
    const auto found = std::ranges::min_element(values, {}, [at](std::int64_t value) { return std::abs(std::log2(static_cast<double>(value)) - at); });
    return static_cast<std::size_t>(found - values.begin());
}
} // namespace

QString recallMeasureTitle(report::RecallMeasure measure)
{
    switch (measure) {
    case report::RecallMeasure::Mean: return QObject::tr("Recall, mean");
    case report::RecallMeasure::P5: return QObject::tr("Recall, 5th percentile of the tokens");
    case report::RecallMeasure::P1: return QObject::tr("Recall, 1st percentile of the tokens");
    case report::RecallMeasure::Least: return QObject::tr("Recall, least of the tokens");
    }
    return {};
}

QString surfaceCostTitle(report::SurfaceCost cost) { return cost == report::SurfaceCost::Macs ? QObject::tr("MACs a token") : QObject::tr("Bytes read a token"); }
QString formatSurfaceCost(report::SurfaceCost cost, double value) { return cost == report::SurfaceCost::Macs ? formatCount(value) : formatBytes(value); }

SurfaceView::SurfaceView(QWidget* parent) : QWidget(parent), m_emptyText(tr("Nothing measured yet."))
{
    setMouseTracking(true);
    setFocusPolicy(Qt::StrongFocus);
    setObjectName(QStringLiteral("recallSurface"));
    setAccessibleName(tr("Recall over rank and candidates"));
    connect(&Theme::instance(), &Theme::changed, this, qOverload<>(&QWidget::update));
}

bool SurfaceView::isEmpty() const
{
    return !m_surface || m_surface->ranks.empty() || m_surface->candidates.empty() || m_surface->points.size() != m_surface->ranks.size() * m_surface->candidates.size();
}

void SurfaceView::setSurface(std::shared_ptr<const report::RecallSurface> surface)
{
    m_surface = std::move(surface);
    m_hovered.reset();
    m_walked.reset();
    setAccessibleDescription(isEmpty() ? m_emptyText : tr("%1 ranks, %2 numbers of candidates").arg(m_surface->ranks.size()).arg(m_surface->candidates.size()));
    update();
}

void SurfaceView::setMeasure(report::RecallMeasure measure)
{
    m_measure = measure;
    update();
}

void SurfaceView::setCost(report::SurfaceCost cost)
{
    m_cost = cost;
    update();
}

void SurfaceView::setAim(double share)
{
    m_aim = share;
    update();
}

void SurfaceView::setCurrent(const std::optional<std::pair<std::int64_t, std::int64_t>>& current)
{
    m_current = current;
    update();
}

void SurfaceView::setEmptyText(const QString& text)
{
    m_emptyText = text;
    update();
}

void SurfaceView::setStale(bool stale)
{
    m_stale = stale;
    update();
}

const report::RecallPoint* SurfaceView::cheapest() const { return isEmpty() ? nullptr : report::cheapest(*m_surface, m_measure, m_aim, m_cost); }

SurfaceView::Frame SurfaceView::frame() const
{
    const QFontMetricsF metrics(Theme::smallFont(font()));
    const double line = metrics.height();
    Frame f;
    const double left = line + metrics.horizontalAdvance(QStringLiteral("00000")) + 14, numbers = metrics.horizontalAdvance(QStringLiteral("99.99 %")) + line + 14;
    f.legend = QRectF(left, 6, std::max(width() - left - 8.0, 1.0), line + 4);
    f.area = QRectF(left, f.legend.bottom() + 6, std::max(width() - left - numbers - 34, 1.0), std::max(height() - f.legend.bottom() - 6 - 2 * line - 14, 1.0));
    f.bar = QRectF(f.area.right() + 14, f.area.top(), 14, f.area.height());
    if (isEmpty())
        return f;
    const auto span = [](const std::vector<std::int64_t>& values, double& low, double& high) {
        low = std::log2(static_cast<double>(values.front()));
        high = std::log2(static_cast<double>(values.back()));
        if (!(high > low)) { // one value stands in the middle
            low -= 0.5;
            high += 0.5;
        }
    };
    span(m_surface->candidates, f.xLow, f.xHigh);
    span(m_surface->ranks, f.yLow, f.yHigh);
    return f;
}

QPointF SurfaceView::place(const Frame& f, double rank, double candidates) const
{
    const double x = std::clamp(std::log2(std::max(candidates, 1.0)), f.xLow, f.xHigh), y = std::clamp(std::log2(std::max(rank, 1.0)), f.yLow, f.yHigh);
    return {f.area.left() + (x - f.xLow) / (f.xHigh - f.xLow) * f.area.width(), f.area.bottom() - (y - f.yLow) / (f.yHigh - f.yLow) * f.area.height()};
}

QPointF SurfaceView::place(const Frame& f, const report::Point& grid) const
{
    const auto between = [](const std::vector<std::int64_t>& values, double at) {
        const auto low = std::min(static_cast<std::size_t>(at), values.size() - 1), high = std::min(low + 1, values.size() - 1);
        const double t = at - static_cast<double>(low);
        return std::exp2((1 - t) * std::log2(static_cast<double>(values[low])) + t * std::log2(static_cast<double>(values[high])));
    };
    return place(f, between(m_surface->ranks, grid.y), between(m_surface->candidates, grid.x));
}

QPointF SurfaceView::toPixel(double rank, double candidates) const { return isEmpty() ? QPointF(-1, -1) : place(frame(), rank, candidates); }

std::optional<SurfaceView::Cell> SurfaceView::cellAt(const QPointF& position) const
{
    const Frame f = frame();
    if (isEmpty() || !f.area.adjusted(-8, -8, 8, 8).contains(position))
        return {};
    const double x = f.xLow + (position.x() - f.area.left()) / f.area.width() * (f.xHigh - f.xLow), y = f.yLow + (f.area.bottom() - position.y()) / f.area.height() * (f.yHigh - f.yLow);
    return Cell{nearest(m_surface->ranks, y), nearest(m_surface->candidates, x)};
}

double SurfaceView::lowest() const
{
    double low = 1;
    for (const auto& point : m_surface->points)
        if (const double recall = report::recallAt(point, m_measure); std::isfinite(recall))
            low = std::min(low, recall);
    return std::min(low, 0.98); // a surface that is 1 everywhere has the colour of 1
}

QStringList SurfaceView::hoverLines() const
{
    const auto cell = m_hovered ? m_hovered : hasFocus() ? m_walked : std::nullopt;
    if (!cell || isEmpty())
        return {};
    const auto& point = at(*cell);
    const auto cost = [&](report::SurfaceCost of) {
        return tr("%1, %2 of the exact encoder's").arg(of == report::SurfaceCost::Macs ? tr("%1 MACs").arg(formatCount(point.macs)) : tr("%1 read").arg(formatBytes(point.bytesRead)),
                                                       formatPercent(report::costAt(point, of) / report::exactCost(*m_surface, of)));
    };
    return {tr("Rank %1, %2 candidates").arg(point.rank).arg(point.candidates),
            tr("recall %1, p5 %2, p1 %3, least %4").arg(formatPercent(point.recallMean, 2), formatPercent(point.recallP5), formatPercent(point.recallP1), formatPercent(point.recallMin)),
            cost(report::SurfaceCost::Macs), cost(report::SurfaceCost::BytesRead)};
}

QString SurfaceView::figureCsv() const
{
    QStringList head{tr("rank"), tr("candidates")};
    for (const auto measure : kMeasures)
        head << csvField(recallMeasureTitle(measure));
    head << surfaceCostTitle(report::SurfaceCost::Macs) << surfaceCostTitle(report::SurfaceCost::BytesRead);
    QString text = head.join(QLatin1Char(',')) + QLatin1Char('\n');
    if (isEmpty())
        return text;
    for (const auto& point : m_surface->points) {
        QStringList cells{QString::number(point.rank), QString::number(point.candidates)};
        for (const auto measure : kMeasures)
            cells << exact(report::recallAt(point, measure));
        cells << exact(point.macs) << exact(point.bytesRead);
        text += cells.join(QLatin1Char(',')) + QLatin1Char('\n');
    }
    return text;
}

QString SurfaceView::figureCaption() const
{
    return isEmpty() ? m_caption : tr("%1; coarse scores: %2, %3 tokens").arg(m_caption, QString::fromStdString(m_surface->coarse)).arg(m_surface->tokens);
}

void SurfaceView::choose(const Cell& cell)
{
    m_walked = cell;
    update();
    emit pointChosen(at(cell).rank, at(cell).candidates);
}

void SurfaceView::mouseMoveEvent(QMouseEvent* event)
{
    const auto cell = cellAt(event->position());
    if (cell == m_hovered)
        return;
    m_hovered = cell;
    setCursor(cell ? Qt::PointingHandCursor : Qt::ArrowCursor);
    update();
}

void SurfaceView::mousePressEvent(QMouseEvent* event)
{
    if (const auto cell = event->button() == Qt::LeftButton ? cellAt(event->position()) : std::nullopt)
        choose(*cell);
}

void SurfaceView::keyPressEvent(QKeyEvent* event)
{
    const int across = event->key() == Qt::Key_Right ? 1 : event->key() == Qt::Key_Left ? -1 : 0, up = event->key() == Qt::Key_Up ? 1 : event->key() == Qt::Key_Down ? -1 : 0;
    if (!isEmpty() && (across != 0 || up != 0)) {
        if (!m_walked) { // from where one is
            const auto [rank, candidates] = m_current.value_or(std::pair{m_surface->ranks.front(), m_surface->candidates.front()});
            m_walked = Cell{nearest(m_surface->ranks, std::log2(static_cast<double>(std::max<std::int64_t>(rank, 1)))),
                            nearest(m_surface->candidates, std::log2(static_cast<double>(std::max<std::int64_t>(candidates, 1))))};
        }
        const auto moved = [](std::size_t from, int by, std::size_t count) {
            return static_cast<std::size_t>(std::clamp<std::ptrdiff_t>(static_cast<std::ptrdiff_t>(from) + by, 0, static_cast<std::ptrdiff_t>(count) - 1));
        };
        m_walked->rank = moved(m_walked->rank, up, m_surface->ranks.size());
        m_walked->candidates = moved(m_walked->candidates, across, m_surface->candidates.size());
        setAccessibleDescription(hoverLines().join(QStringLiteral(", ")));
        update();
    } else if (m_walked && (event->key() == Qt::Key_Return || event->key() == Qt::Key_Enter)) {
        choose(*m_walked);
    } else {
        QWidget::keyPressEvent(event);
    }
}

void SurfaceView::leaveEvent(QEvent*)
{
    m_hovered.reset();
    update();
}

void SurfaceView::focusInEvent(QFocusEvent* event)
{
    QWidget::focusInEvent(event);
    update();
}

void SurfaceView::focusOutEvent(QFocusEvent* event)
{
    QWidget::focusOutEvent(event);
    update();
}

void SurfaceView::paintEvent(QPaintEvent*)
{
    QPainter painter(this);
    draw(painter, true);
}

void SurfaceView::paintFigure(QPainter& painter) const { draw(painter, false); }

} // namespace tamis::views
