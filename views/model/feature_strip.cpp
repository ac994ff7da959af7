// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/model/feature_strip.h"

#include "views/common/nice_step.h"
#include "views/common/number_format.h"
#include "views/common/theme.h"

#include <QMouseEvent>
#include <QPainter>

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
constexpr int kNamed = 5; ///< outliers that get their number
}

FeatureStrip::FeatureStrip(QWidget* parent) : QWidget(parent)
{
    setObjectName(QStringLiteral("featureStrip"));
    setAccessibleName(tr("Size of every feature"));
    setMouseTracking(true);
    m_emptyText = tr("Select a site to see its features.");
    connect(&Theme::instance(), &Theme::changed, this, qOverload<>(&QWidget::update));
}

void FeatureStrip::setFeatures(const QString& site, const std::vector<float>& rms)
{
    m_site = site;
    m_rms = rms;
    m_hovered = -1;
    m_outliers.clear();
    m_median = m_largest = 0;
    std::vector<float> finite;
    std::copy_if(rms.begin(), rms.end(), std::back_inserter(finite), [](float v) { return std::isfinite(v); });
    if (!finite.empty()) {
        const auto middle = finite.begin() + static_cast<std::ptrdiff_t>(finite.size() / 2);
        std::nth_element(finite.begin(), middle, finite.end());
        m_median = *middle;
        m_largest = *std::max_element(finite.begin(), finite.end());
    }
    for (std::size_t i = 0; i < rms.size(); ++i)
        if (std::isfinite(rms[i]) && rms[i] > kOutlier * m_median)
            m_outliers.push_back(static_cast<int>(i));
    std::stable_sort(m_outliers.begin(), m_outliers.end(), [&](int a, int b) { return rms[static_cast<std::size_t>(a)] > rms[static_cast<std::size_t>(b)]; });
    setAccessibleDescription(rms.empty() ? m_emptyText
                                         : tr("%1: %2 features, median %3, largest %4, %n beyond %5 times the median", nullptr, static_cast<int>(m_outliers.size()))
                                               .arg(site).arg(rms.size()).arg(formatNumber(m_median), formatNumber(m_largest)).arg(kOutlier));
    update();
}

void FeatureStrip::setEmptyText(const QString& text)
{
    m_emptyText = text;
    update();
}

QRectF FeatureStrip::area() const
{
    const QFontMetricsF metrics(Theme::smallFont(font()));
    return QRectF(rect()).adjusted(metrics.horizontalAdvance(QStringLiteral("0.00e+00")) + 8, metrics.height() + 6, -8, -metrics.height() - 8);
}

QRectF FeatureStrip::columnRect(int feature) const
{
    const QRectF a = area();
    const double width = a.width() / std::max<double>(1, static_cast<double>(m_rms.size()));
    const float value = m_rms[static_cast<std::size_t>(feature)];
    const double height = m_largest > 0 && std::isfinite(value) ? std::max(0.0F, value) / m_largest * a.height() : 0;
    return {a.left() + feature * width, a.bottom() - height, width, height};
}

QStringList FeatureStrip::hoverLines() const
{
    if (m_hovered < 0)
        return {};
    const float value = m_rms[static_cast<std::size_t>(m_hovered)];
    QStringList lines{tr("feature %1: rms %2").arg(m_hovered).arg(formatNumber(value, 3))};
    if (m_median > 0 && std::isfinite(value))
        lines << tr("%1 times the median").arg(formatNumber(value / m_median, 3));
    return lines;
}

void FeatureStrip::mouseMoveEvent(QMouseEvent* event)
{
    const QRectF a = area();
    m_hovered = -1;
    if (!m_rms.empty() && a.adjusted(0, -10, 0, 10).contains(event->position())) {
        // The strongest feature within two pixels: outliers are easy to hit among thousands.
        const double scale = static_cast<double>(m_rms.size()) / a.width(), at = (event->position().x() - a.left()) * scale;
        const int last = static_cast<int>(m_rms.size()) - 1;
        const int from = std::clamp(static_cast<int>(at - 2 * scale), 0, last), to = std::clamp(static_cast<int>(at + 2 * scale), 0, last);
        m_hovered = std::clamp(static_cast<int>(at), 0, last);
        if (scale > 0.5)
            for (int i = from; i <= to; ++i)
                if (!(m_rms[static_cast<std::size_t>(m_hovered)] >= m_rms[static_cast<std::size_t>(i)]))
                    m_hovered = i;
    }
    update();
}

void FeatureStrip::leaveEvent(QEvent*)
{
    m_hovered = -1;
    update();
}

void FeatureStrip::paintEvent(QPaintEvent*)
{
    QPainter painter(this);
    draw(painter, true);
}

void FeatureStrip::paintFigure(QPainter& painter) const { draw(painter, false); }

void FeatureStrip::draw(QPainter& painter, bool interactive) const
{
    const auto& theme = Theme::instance();
    painter.setRenderHint(QPainter::Antialiasing);
    painter.fillRect(rect(), theme.color(Ink::Panel));
    if (m_rms.empty() || !(m_largest > 0)) {
        painter.setPen(theme.color(Ink::MutedText));
        painter.drawText(rect().adjusted(12, 8, -12, -8), Qt::AlignCenter | Qt::TextWordWrap,
                         m_rms.empty() ? m_emptyText : tr("Every feature of %1 is zero.").arg(m_site));
        return;
    }
    painter.setFont(Theme::smallFont(font()));
    const QRectF a = area();
    drawScale(painter, a);
    drawColumns(painter, a);
    drawNames(painter, a);
    if (interactive && m_hovered >= 0)
        drawHover(painter, a);
}

void FeatureStrip::drawScale(QPainter& painter, const QRectF& a) const
{
    const auto& theme = Theme::instance();
    const QFontMetricsF metrics(painter.font());
    const double step = niceStep(m_largest, std::clamp(static_cast<int>(a.height() / (1.8 * metrics.height())), 1, 5));
    for (double v = 0; v <= m_largest * (1 + 1e-9); v += step) {
        const double y = a.bottom() - v / m_largest * a.height();
        painter.setPen(QPen(theme.color(Ink::Grid), 1));
        painter.drawLine(QPointF(a.left(), y), QPointF(a.right(), y));
        painter.setPen(theme.color(Ink::MutedText));
        painter.drawText(QRectF(0, y - metrics.height() / 2, a.left() - 5, metrics.height()), Qt::AlignRight | Qt::AlignVCenter, formatNumber(v, 3));
    }
    const QString ends = QString::number(m_rms.size() - 1);
    painter.drawText(QRectF(a.left(), a.bottom() + 3, 60, metrics.height()), Qt::AlignLeft, QStringLiteral("0"));
    painter.drawText(QRectF(a.right() - 80, a.bottom() + 3, 80, metrics.height()), Qt::AlignRight, ends);
    painter.setPen(theme.color(Ink::Text));
    const QString note = m_outliers.empty() ? tr("feature of %1 · median rms %2, no outlier").arg(m_site, formatNumber(m_median, 3))
                                            : tr("feature of %1 · median rms %2, %n beyond %3 times that", nullptr, static_cast<int>(m_outliers.size()))
                                                  .arg(m_site, formatNumber(m_median, 3)).arg(kOutlier);
    const double room = a.width() - 20 - metrics.horizontalAdvance(ends);
    painter.drawText(QRectF(a.left() + 16, a.bottom() + 3, room, metrics.height()), Qt::AlignHCenter, metrics.elidedText(note, Qt::ElideRight, room));
}

void FeatureStrip::drawColumns(QPainter& painter, const QRectF& a) const
{
    const auto& theme = Theme::instance();
    const double width = a.width() / static_cast<double>(m_rms.size());
    painter.save();
    painter.setRenderHint(QPainter::Antialiasing, false);
    painter.setPen(Qt::NoPen);
    const auto bar = [&](double x, double w, double value) {
        const double height = std::max(value / m_largest * a.height(), 1.0);
        painter.setBrush(theme.color(value > kOutlier * m_median ? Ink::Loss : Ink::Accent));
        painter.drawRect(QRectF(x, a.bottom() - height, w, height));
    };
    if (width >= 1) {
        for (std::size_t i = 0; i < m_rms.size(); ++i)
            if (std::isfinite(m_rms[i]))
                bar(a.left() + static_cast<double>(i) * width, std::max(1.0, width > 3 ? width - 1 : width), std::max(0.0F, m_rms[i]));
    } else {
        const int pixels = static_cast<int>(a.width());
        for (int x = 0; x < pixels; ++x) {
            const auto from = static_cast<std::size_t>(x / width), to = std::min(static_cast<std::size_t>((x + 1) / width) + 1, m_rms.size());
            double most = 0;
            for (std::size_t i = from; i < to; ++i)
                if (std::isfinite(m_rms[i]))
                    most = std::max<double>(most, m_rms[i]);
            bar(a.left() + x, 1, most);
        }
    }
    painter.restore();
    const double y = a.bottom() - m_median / m_largest * a.height();
    painter.setPen(QPen(theme.color(Ink::Text), 1, Qt::DashLine));
    painter.drawLine(QPointF(a.left(), y), QPointF(a.right(), y));
}

void FeatureStrip::drawNames(QPainter& painter, const QRectF& a) const
{
    const auto& theme = Theme::instance();
    const QFontMetricsF metrics(painter.font());
    painter.setPen(theme.color(Ink::Loss));
    std::vector<QRectF> taken;
    for (std::size_t i = 0; i < m_outliers.size() && i < kNamed; ++i) {
        const QString name = QString::number(m_outliers[i]);
        const QRectF column = columnRect(m_outliers[i]);
        QRectF place(0, 0, metrics.horizontalAdvance(name) + 4, metrics.height());
        place.moveCenter(QPointF(column.center().x(), column.top() - metrics.height() / 2 - 1));
        place.moveLeft(std::clamp(place.left(), a.left(), std::max(a.left(), a.right() - place.width())));
        if (std::any_of(taken.begin(), taken.end(), [&](const QRectF& other) { return other.intersects(place); }))
            continue;
        taken.push_back(place);
        painter.drawText(place, Qt::AlignCenter, name);
    }
}

void FeatureStrip::drawHover(QPainter& painter, const QRectF& a) const
{
    const auto& theme = Theme::instance();
    const QFontMetricsF metrics(painter.font());
    const QStringList lines = hoverLines();
    double widest = 0;
    for (const auto& line : lines)
        widest = std::max(widest, metrics.horizontalAdvance(line));
    const double x = columnRect(m_hovered).center().x();
    painter.setPen(QPen(theme.color(Ink::Text), 1));
    painter.drawLine(QPointF(x, a.top()), QPointF(x, a.bottom()));
    QRectF box(x + 8, a.top(), widest + 16, metrics.height() * static_cast<double>(lines.size()) + 8);
    if (box.right() > width() - 2)
        box.moveRight(x - 8);
    painter.setPen(theme.color(Ink::Border));
    painter.setBrush(theme.color(Ink::Panel));
    painter.drawRoundedRect(box, 4, 4);
    painter.setPen(theme.color(Ink::Text));
    painter.drawText(box.adjusted(8, 4, -8, -4), Qt::AlignLeft | Qt::AlignTop, lines.join(QLatin1Char('\n')));
}

QString FeatureStrip::figureCsv() const
{
    QString text = QStringLiteral("feature,rms\n");
    for (std::size_t i = 0; i < m_rms.size(); ++i)
        text += QString::number(i) + QLatin1Char(',') + (std::isfinite(m_rms[i]) ? QString::number(static_cast<double>(m_rms[i]), 'g', 9) : QString()) + QLatin1Char('\n');
    return text;
}

} // namespace tamis::views
