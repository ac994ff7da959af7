// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/encoder/encoder_pareto_chart.h"

#include "views/common/figure_export.h"
#include "views/common/number_format.h"
#include "views/common/theme.h"

#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
constexpr double kReach = 10; ///< pixels from a point within which it is meant
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
    struct Value {
        double loss, speed; ///< more is better
    };
    std::vector<Value> values;
    for (const auto& point : comparison.points)
        values.push_back({moreIsBetter(loss) ? encoderLossOf(loss, point) : -encoderLossOf(loss, point),
                          moreIsBetter(speed) ? encoderSpeedOf(speed, point) : -encoderSpeedOf(speed, point)});
    std::vector<bool> front;
    for (std::size_t i = 0; i < values.size(); ++i) {
        bool on = std::isfinite(values[i].loss) && std::isfinite(values[i].speed);
        for (std::size_t j = 0; j < values.size() && on; ++j)
            on = comparison.points[j].title != comparison.points[i].title ||
                 !(values[j].loss >= values[i].loss && values[j].speed >= values[i].speed && (values[j].loss > values[i].loss || values[j].speed > values[i].speed));
        front.push_back(on);
    }
    return front;
}

EncoderParetoChart::EncoderParetoChart(QWidget* parent) : QWidget(parent), m_emptyText(tr("Compare encoders to see what recall costs."))
{
    setMouseTracking(true);
    setFocusPolicy(Qt::StrongFocus);
    setObjectName(QStringLiteral("encoderPareto"));
    setAccessibleName(tr("Encoders, what they find against how fast they are"));
    connect(&Theme::instance(), &Theme::changed, this, qOverload<>(&QWidget::update));
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
    update();
}

void EncoderParetoChart::setEmptyText(const QString& text)
{
    m_emptyText = text;
    update();
}

void EncoderParetoChart::rebuild()
{
    m_points.clear();
    m_front.clear();
    m_methods.clear();
    m_hovered = -1;
    if (m_comparison) {
        m_front = encoderFronts(*m_comparison, m_loss, m_speed);
        for (int at = 0; at < static_cast<int>(m_comparison->points.size()); ++at) {
            if (const QString title = QString::fromStdString(point(at).title); !point(at).exact && std::ranges::find(m_methods, title) == m_methods.end())
                m_methods.push_back(title);
            const Point made{at, encoderLossOf(m_loss, point(at)), encoderSpeedOf(m_speed, point(at))};
            if (std::isfinite(made.loss) && std::isfinite(made.speed))
                m_points.push_back(made);
        }
        std::ranges::stable_sort(m_points, {}, &Point::loss);
    }
    if (m_walked >= (m_comparison ? static_cast<int>(m_comparison->points.size()) : 0))
        m_walked = -1;
    setAccessibleDescription(tr("%1 points").arg(m_points.size()));
    update();
}

QColor EncoderParetoChart::colorOf(int index) const
{
    if (point(index).exact)
        return Theme::instance().color(Ink::Baseline);
    return Theme::instance().seriesColor(static_cast<int>(colorIndex(index)));
}

std::size_t EncoderParetoChart::colorIndex(int index) const
{
    return static_cast<std::size_t>(std::ranges::find(m_methods, QString::fromStdString(point(index).title)) - m_methods.begin());
}

EncoderParetoChart::Frame EncoderParetoChart::frame() const
{
    const QFontMetricsF metrics(Theme::smallFont(font()));
    Frame f;
    double legend = metrics.horizontalAdvance(tr("Exact"));
    for (const QString& title : m_methods)
        legend = std::max(legend, metrics.horizontalAdvance(title));
    legend = std::min(legend + 24, 0.3 * width());
    const double left = metrics.height() + metrics.horizontalAdvance(QStringLiteral("000 MiB")) + 16;
    f.area = QRectF(rect()).adjusted(left, 12, -legend - 20, -2 * metrics.height() - 14);
    f.legend = QRectF(f.area.right() + 14, f.area.top(), legend, f.area.height());
    double xLow = INFINITY, xHigh = -INFINITY, yLow = INFINITY, yHigh = 0;
    f.logX = !moreIsBetter(m_loss);
    const auto add = [&](double loss, double speed) {
        if (!std::isfinite(loss) || !std::isfinite(speed))
            return;
        if (!f.logX || loss > 0) {
            xLow = std::min(xLow, f.logX ? std::log10(loss) : loss);
            xHigh = std::max(xHigh, f.logX ? std::log10(loss) : loss);
        }
        yLow = std::min(yLow, speed);
        yHigh = std::max(yHigh, speed);
    };
    for (const Point& each : m_points)
        add(each.loss, each.speed);
    if (m_current)
        add(encoderLossOf(m_loss, *m_current), encoderSpeedOf(m_speed, *m_current));
    if (!(yHigh > 0))
        return f;
    if (xLow > xHigh)
        xLow = xHigh = f.logX ? -3 : 1;
    const double pad = std::max(0.06 * (xHigh - xLow), f.logX ? 0.3 : 0.005);
    f.xLow = f.logX ? xLow - 2 * pad : std::max(0.0, xLow - pad); // room at the foot for what increases nothing
    f.xHigh = f.logX ? xHigh + pad : std::min(xHigh + pad, std::max(1 + 0.03 * (1 - f.xLow), 1e-6));
    const double margin = std::max(0.08 * std::log10(yHigh / yLow), 0.06);
    f.yLow = std::log10(yLow) - margin;
    f.yHigh = std::log10(yHigh) + margin;
    return f;
}

double EncoderParetoChart::placeX(const Frame& f, double loss) const
{
    const double x = !f.logX ? loss : loss > 0 ? std::log10(loss) : f.xLow;
    return f.area.left() + (std::clamp(x, f.xLow, f.xHigh) - f.xLow) / (f.xHigh - f.xLow) * f.area.width();
}

QPointF EncoderParetoChart::place(const Frame& f, const Point& at) const
{
    return {placeX(f, at.loss), f.area.bottom() - (std::log10(at.speed) - f.yLow) / (f.yHigh - f.yLow) * f.area.height()};
}

QPointF EncoderParetoChart::toPixel(int index) const
{
    const auto found = std::ranges::find(m_points, index, &Point::index);
    return found == m_points.end() ? QPointF(-1, -1) : place(frame(), *found);
}

int EncoderParetoChart::pointAt(const QPointF& position) const
{
    const Frame f = frame();
    int best = -1;
    double nearest = kReach;
    for (std::size_t i = 0; i < m_points.size(); ++i) {
        const QPointF d = place(f, m_points[i]) - position;
        if (const double distance = std::hypot(d.x(), d.y()); distance < nearest) {
            nearest = distance;
            best = static_cast<int>(i);
        }
    }
    return best;
}

QStringList EncoderParetoChart::hoverLines() const
{
    const int index = m_hovered >= 0 ? m_hovered : hasFocus() ? m_walked : -1;
    if (index < 0 || !m_comparison)
        return {};
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

void EncoderParetoChart::mouseMoveEvent(QMouseEvent* event)
{
    const int at = pointAt(event->position());
    const int index = at < 0 ? -1 : m_points[static_cast<std::size_t>(at)].index;
    if (index != m_hovered) {
        m_hovered = index;
        setCursor(index >= 0 ? Qt::PointingHandCursor : Qt::ArrowCursor);
        update();
    }
}

void EncoderParetoChart::mousePressEvent(QMouseEvent* event)
{
    const int at = event->button() == Qt::LeftButton ? pointAt(event->position()) : -1;
    if (at < 0)
        return;
    m_walked = m_points[static_cast<std::size_t>(at)].index;
    update();
    emit pointActivated(m_walked);
}

void EncoderParetoChart::keyPressEvent(QKeyEvent* event)
{
    const int count = shownPoints(), step = event->key() == Qt::Key_Right ? 1 : event->key() == Qt::Key_Left ? -1 : 0;
    if (count > 0 && step != 0) {
        const auto found = std::ranges::find(m_points, m_walked, &Point::index);
        const int now = found == m_points.end() ? (step > 0 ? -1 : count) : static_cast<int>(found - m_points.begin());
        m_walked = m_points[static_cast<std::size_t>((now + step + count) % count)].index;
        update();
    } else if (m_walked >= 0 && (event->key() == Qt::Key_Return || event->key() == Qt::Key_Enter)) {
        emit pointActivated(m_walked);
    } else {
        QWidget::keyPressEvent(event);
    }
}

void EncoderParetoChart::leaveEvent(QEvent*)
{
    m_hovered = -1;
    update();
}

void EncoderParetoChart::focusInEvent(QFocusEvent* event)
{
    QWidget::focusInEvent(event);
    update();
}

void EncoderParetoChart::focusOutEvent(QFocusEvent* event)
{
    QWidget::focusOutEvent(event);
    update();
}

void EncoderParetoChart::paintEvent(QPaintEvent*)
{
    QPainter painter(this);
    draw(painter, true);
}

void EncoderParetoChart::paintFigure(QPainter& painter) const { draw(painter, false); }

} // namespace tamis::views
