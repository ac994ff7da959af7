// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/encoder/latent_sample_view.h"

#include "views/common/figure_export.h"
#include "views/common/number_format.h"
#include "views/common/theme.h"

#include <QKeyEvent>
#include <QMouseEvent>

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
constexpr std::size_t kHoverLatents = 5;

QString valueOf(float value) { return std::isnan(value) ? QStringLiteral("–") : formatNumber(static_cast<double>(value), 3); }

QString wantedLine(const report::SampleLatents::Wanted& wanted, bool coarse, std::int64_t cut)
{
    QString line = LatentSampleView::tr("latent %1: %2").arg(wanted.latent).arg(valueOf(wanted.value));
    if (!report::isFound(wanted, coarse, cut))
        return line + (wanted.place >= 0 ? LatentSampleView::tr(", missed: place %1").arg(wanted.place + 1) : LatentSampleView::tr(", missed"));
    return std::isnan(wanted.returned) ? line + LatentSampleView::tr(", found at place %1").arg(wanted.place + 1) : line + LatentSampleView::tr(", encoder %1").arg(valueOf(wanted.returned));
}
} // namespace

LatentSampleView::LatentSampleView(QWidget* parent) : QWidget(parent)
{
    setMouseTracking(true);
    setFocusPolicy(Qt::StrongFocus);
    connect(&Theme::instance(), &Theme::changed, this, qOverload<>(&QWidget::update));
}

void LatentSampleView::setSample(std::shared_ptr<const report::TokenPlaces> places, std::size_t sample)
{
    if (places == m_places && sample == m_sample)
        return;
    m_places = std::move(places);
    m_sample = sample;
    m_latents.reset();
    m_hovered.reset();
    setToken(m_token);
    follow();
}

void LatentSampleView::setLatents(std::shared_ptr<const report::SampleLatents> latents)
{
    m_latents = latents && static_cast<int>(latents->exact.size()) == tokens() && sample() && latents->first == sample()->first ? std::move(latents) : nullptr;
    follow();
}

void LatentSampleView::setLatent(std::int32_t latent)
{
    m_latent = latent;
    follow();
}

void LatentSampleView::setCut(std::int64_t cut)
{
    m_cut = std::max<std::int64_t>(cut, 1);
    follow();
}

void LatentSampleView::setToken(std::int64_t token)
{
    m_token = token;
    const auto* shown = sample();
    m_current = shown && token >= shown->first && token < shown->first + shown->count ? static_cast<int>(token - shown->first) : -1;
    setAccessibleDescription(m_current < 0 ? QString() : tokenTitle(m_current));
    arrange();
    update();
}

void LatentSampleView::setStale(bool stale)
{
    m_stale = stale;
    update();
}

const report::TokenSample* LatentSampleView::sample() const { return m_places && m_sample < m_places->samples.size() ? &m_places->samples[m_sample] : nullptr; }
int LatentSampleView::tokens() const { return sample() ? static_cast<int>(sample()->count) : 0; }

void LatentSampleView::follow()
{
    m_map = m_latents && m_latent >= 0 ? report::latentMap(*m_latents, m_latent, m_cut) : report::LatentMap();
    update();
}

QColor LatentSampleView::tokenColor(int at) const
{
    const auto index = static_cast<std::size_t>(at);
    if (at < 0 || index >= m_map.exact.size() || m_map.exact[index] <= 0)
        return {};
    return Theme::sequentialColor(static_cast<double>(m_map.exact[index]) / static_cast<double>(std::max(m_map.most, 1e-30F)));
}

QStringList LatentSampleView::hoverLines() const
{
    if (!m_hovered || !sample())
        return {};
    const int at = *m_hovered;
    QStringList lines{tr("%1 · token %2").arg(tokenTitle(at)).arg(sample()->first + at)};
    if (!m_latents)
        return lines << tr("not encoded yet");
    const auto& exact = m_latents->exact[static_cast<std::size_t>(at)];
    const auto& others = m_latents->others[static_cast<std::size_t>(at)];
    if (exact.empty())
        lines << tr("no latent fires");
    for (std::size_t i = 0; i < std::min(kHoverLatents, exact.size()); ++i)
        lines << wantedLine(exact[i], m_latents->coarse, m_cut);
    if (exact.size() > kHoverLatents)
        lines << tr("and %1 more").arg(exact.size() - kHoverLatents);
    const auto own = std::ranges::find(exact, m_latent, &report::SampleLatents::Wanted::latent);
    if (own != exact.end() && own - exact.begin() >= static_cast<std::ptrdiff_t>(kHoverLatents))
        lines << wantedLine(*own, m_latents->coarse, m_cut);
    else if (const auto other = std::ranges::find(others, m_latent, &report::SampleLatents::Other::latent); other != others.end())
        lines << tr("latent %1: only the encoder has it, %2").arg(m_latent).arg(valueOf(other->value));
    return lines;
}

int LatentSampleView::tokenAt(const QPointF& position) const
{
    for (int at = 0; at < tokens(); ++at)
        if (tokenRect(at).contains(position))
            return at;
    return -1;
}

void LatentSampleView::mouseMoveEvent(QMouseEvent* event)
{
    const int at = tokenAt(event->position());
    m_hovered = at >= 0 ? std::optional<int>(at) : std::nullopt;
    m_pointer = event->position();
    setCursor(at >= 0 ? Qt::PointingHandCursor : Qt::ArrowCursor);
    update();
}

void LatentSampleView::mousePressEvent(QMouseEvent* event)
{
    if (event->button() != Qt::LeftButton)
        return;
    if (const int at = tokenAt(event->position()); at >= 0)
        emit tokenChosen(sample()->first + at);
}

void LatentSampleView::keyPressEvent(QKeyEvent* event)
{
    if (!sample())
        return QWidget::keyPressEvent(event);
    if (event->key() == Qt::Key_PageUp || event->key() == Qt::Key_PageDown) {
        emit sampleStepped(event->key() == Qt::Key_PageDown ? 1 : -1);
        return;
    }
    const int to = step(std::max(m_current, 0), event->key());
    if (to < 0)
        return QWidget::keyPressEvent(event);
    if (to != m_current)
        emit tokenChosen(sample()->first + std::min(to, tokens() - 1));
}

void LatentSampleView::leaveEvent(QEvent*)
{
    m_hovered.reset();
    update();
}

void LatentSampleView::resizeEvent(QResizeEvent* event)
{
    QWidget::resizeEvent(event);
    arrange();
}

void LatentSampleView::focusInEvent(QFocusEvent* event)
{
    QWidget::focusInEvent(event);
    update();
}

void LatentSampleView::focusOutEvent(QFocusEvent* event)
{
    QWidget::focusOutEvent(event);
    update();
}

QString LatentSampleView::figureCaption() const
{
    QString shown = sample() ? QString::fromStdString(sample()->name) : QString();
    if (!m_map.exact.empty())
        shown += tr(", latent %1").arg(m_latent);
    return m_caption.isEmpty() ? shown : m_caption + QLatin1Char('\n') + shown;
}

QString LatentSampleView::figureCsv() const
{
    QString text = QStringLiteral("token,place,latent,exact,encoder,missed\n");
    for (int at = 0; at < static_cast<int>(m_map.exact.size()); ++at) {
        const auto i = static_cast<std::size_t>(at);
        text += QStringLiteral("%1,%2,%3,%4,%5,%6\n")
                    .arg(QString::number(sample()->first + at), csvField(tokenTitle(at)), QString::number(m_latent), QString::number(static_cast<double>(m_map.exact[i]), 'g', 9),
                         QString::number(static_cast<double>(m_map.returned[i]), 'g', 9), m_map.missed[i] ? QStringLiteral("1") : QStringLiteral("0"));
    }
    return text;
}

} // namespace tamis::views
