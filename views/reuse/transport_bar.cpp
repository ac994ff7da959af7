// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/reuse/transport_bar.h"

#include "views/common/theme.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QMouseEvent>
#include <QPainter>
#include <QSignalBlocker>
#include <QStyle>
#include <QStyleOptionSlider>
#include <QToolButton>

#include <algorithm>
#include <cmath>
#include <utility>

namespace tamis::views {
namespace {
constexpr int kMarkRoom = 9; ///< pixels below the groove
constexpr double kMark = 3.5;
constexpr int kSpeeds[] = {1, 2, 5, 10, 25}; ///< frames a second
constexpr int kUsual = 3;                    ///< of them

/// The style's icon in the colour of the theme's text, for the style's own are black.
QIcon tinted(const QWidget& widget, QStyle::StandardPixmap icon)
{
    QIcon made;
    for (const auto& [mode, ink] : {std::pair(QIcon::Normal, Ink::Text), std::pair(QIcon::Disabled, Ink::Border)}) {
        QPixmap pixmap = widget.style()->standardIcon(icon).pixmap(QSize(32, 32), widget.devicePixelRatioF());
        QPainter painter(&pixmap);
        painter.setCompositionMode(QPainter::CompositionMode_SourceIn);
        painter.fillRect(pixmap.rect(), Theme::instance().color(ink));
        painter.end();
        made.addPixmap(pixmap, mode);
    }
    return made;
}
} // namespace

ScrubSlider::ScrubSlider(QWidget* parent) : QSlider(Qt::Horizontal, parent)
{
    setObjectName(QStringLiteral("frameSlider"));
    setAccessibleName(tr("Frame"));
    setToolTip(tr("Go to a frame. Triangles: key frames; lines: scene cuts"));
    setPageStep(10);
    connect(&Theme::instance(), &Theme::changed, this, qOverload<>(&QWidget::update));
}

void ScrubSlider::setMarks(const std::vector<int>& keyFrames, const std::vector<int>& sceneCuts)
{
    m_keys = keyFrames;
    m_cuts = sceneCuts;
    update();
}

QSize ScrubSlider::sizeHint() const { return QSlider::sizeHint() + QSize(0, 2 * kMarkRoom); }
QSize ScrubSlider::minimumSizeHint() const { return QSlider::minimumSizeHint() + QSize(0, 2 * kMarkRoom); }

double ScrubSlider::xOf(int frame) const
{
    QStyleOptionSlider option;
    initStyleOption(&option);
    const QRect groove = style()->subControlRect(QStyle::CC_Slider, &option, QStyle::SC_SliderGroove, this);
    const int handle = style()->pixelMetric(QStyle::PM_SliderLength, &option, this);
    return groove.left() + handle / 2.0 + QStyle::sliderPositionFromValue(minimum(), maximum(), frame, groove.width() - handle);
}

void ScrubSlider::paintEvent(QPaintEvent* event)
{
    QSlider::paintEvent(event);
    if (maximum() <= minimum())
        return;
    const auto& theme = Theme::instance();
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    const double bottom = height() - 1.0;
    painter.setPen(QPen(theme.color(Ink::HeldOut), 1.6));
    for (const int cut : m_cuts)
        painter.drawLine(QPointF(xOf(cut), bottom - kMarkRoom), QPointF(xOf(cut), bottom));
    painter.setPen(Qt::NoPen);
    painter.setBrush(theme.color(isEnabled() ? Ink::Accent : Ink::Border));
    for (const int key : m_keys) {
        const QPointF at(xOf(key), bottom - kMark);
        painter.drawPolygon(QPolygonF{at + QPointF(-kMark, kMark), at + QPointF(kMark, kMark), at + QPointF(0, -kMark)});
    }
}

void ScrubSlider::mousePressEvent(QMouseEvent* event)
{
    QStyleOptionSlider option;
    initStyleOption(&option);
    const QRect handle = style()->subControlRect(QStyle::CC_Slider, &option, QStyle::SC_SliderHandle, this);
    if (event->button() == Qt::LeftButton && !handle.contains(event->position().toPoint()) && maximum() > minimum()) {
        const double left = xOf(minimum()), right = xOf(maximum());
        const double share = std::clamp((event->position().x() - left) / std::max(right - left, 1.0), 0.0, 1.0);
        setSliderPosition(minimum() + static_cast<int>(std::lround(share * (maximum() - minimum()))));
        QMouseEvent onHandle(event->type(), QPointF(xOf(value()), handle.center().y()), event->globalPosition(), event->button(), event->buttons(), event->modifiers());
        QSlider::mousePressEvent(&onHandle); // and is dragged from there
        return;
    }
    QSlider::mousePressEvent(event);
}

TransportBar::TransportBar(QWidget* parent) : QWidget(parent), m_slider(new ScrubSlider(this)), m_position(new QLabel(this))
{
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(0, 0, 0, 0);
    row->setSpacing(Theme::kSpacing / 2);
    const auto button = [&](const char* name, const QString& title) {
        auto* made = new QToolButton(this);
        made->setObjectName(QLatin1String(name));
        made->setToolTip(title);
        made->setAccessibleName(title);
        made->setAutoRaise(true);
        made->setFocusPolicy(Qt::StrongFocus);
        row->addWidget(made);
        return made;
    };
    m_first = button("firstFrame", tr("First frame"));
    m_back = button("previousFrame", tr("One frame back"));
    m_play = button("playFrames", tr("Play"));
    m_forward = button("nextFrame", tr("One frame forward"));
    m_last = button("lastFrame", tr("Last frame"));
    row->addWidget(m_slider, 1);
    m_position->setObjectName(QStringLiteral("framePosition"));
    m_position->setFont(Theme::numberFont(font()));
    row->addWidget(m_position);
    m_speed = new QComboBox(this);
    m_speed->setObjectName(QStringLiteral("frameSpeed"));
    m_speed->setAccessibleName(tr("Speed"));
    m_speed->setToolTip(tr("Frames a second while playing"));
    for (const int speed : kSpeeds)
        m_speed->addItem(tr("%1/s").arg(speed), speed);
    m_speed->setCurrentIndex(kUsual);
    row->addWidget(m_speed);
    m_timer.setTimerType(Qt::PreciseTimer);
    connect(&m_timer, &QTimer::timeout, this, [this] { goTo(frame() + 1 < m_count ? frame() + 1 : 0); });
    connect(m_first, &QToolButton::clicked, this, [this] { step(-m_count); });
    connect(m_back, &QToolButton::clicked, this, [this] { step(-1); });
    connect(m_forward, &QToolButton::clicked, this, [this] { step(1); });
    connect(m_last, &QToolButton::clicked, this, [this] { step(m_count); });
    connect(m_play, &QToolButton::clicked, this, [this] { isPlaying() ? pause() : play(); });
    connect(m_speed, &QComboBox::currentIndexChanged, this, [this] { m_timer.setInterval(static_cast<int>(1000 / framesPerSecond())); });
    connect(m_slider, &QSlider::valueChanged, this, [this](int frame) {
        showState();
        emit frameChanged(frame);
    });
    connect(m_slider, &QSlider::actionTriggered, this, &TransportBar::pause);
    connect(m_slider, &QSlider::sliderPressed, this, &TransportBar::pause);
    connect(&Theme::instance(), &Theme::changed, this, &TransportBar::showIcons);
    showIcons();
    setFrameCount(0);
}

double TransportBar::framesPerSecond() const { return m_speed->currentData().toDouble(); }
int TransportBar::frame() const { return m_slider->value(); }

void TransportBar::setFrameCount(int count)
{
    if (count == 0)
        pause();
    m_count = count;
    const QSignalBlocker quiet(m_slider);
    m_slider->setRange(0, std::max(count - 1, 0));
    setEnabled(count > 0);
    const QString widest = tr("%1 of %2").arg(count).arg(count);
    m_position->setMinimumWidth(QFontMetrics(m_position->font()).horizontalAdvance(widest));
    showState();
}

void TransportBar::setFrame(int frame)
{
    const QSignalBlocker quiet(m_slider);
    m_slider->setValue(frame);
    showState();
}

void TransportBar::setMarks(const std::vector<int>& keyFrames, const std::vector<int>& sceneCuts) { m_slider->setMarks(keyFrames, sceneCuts); }

void TransportBar::goTo(int frame) { m_slider->setValue(frame); }

void TransportBar::step(int by)
{
    pause();
    goTo(std::clamp(frame() + by, 0, std::max(m_count - 1, 0)));
}

void TransportBar::play()
{
    if (m_count < 2 || isPlaying())
        return;
    m_timer.start(static_cast<int>(1000 / framesPerSecond()));
    showState();
    emit playingChanged(true);
}

void TransportBar::pause()
{
    if (!isPlaying())
        return;
    m_timer.stop();
    showState();
    emit playingChanged(false);
}

void TransportBar::showIcons()
{
    m_first->setIcon(tinted(*this, QStyle::SP_MediaSkipBackward));
    m_back->setIcon(tinted(*this, QStyle::SP_MediaSeekBackward));
    m_forward->setIcon(tinted(*this, QStyle::SP_MediaSeekForward));
    m_last->setIcon(tinted(*this, QStyle::SP_MediaSkipForward));
    showState();
}

void TransportBar::showState()
{
    m_position->setText(m_count > 0 ? tr("%1 of %2").arg(frame() + 1).arg(m_count) : QString());
    const QString title = isPlaying() ? tr("Pause") : tr("Play");
    m_play->setIcon(tinted(*this, isPlaying() ? QStyle::SP_MediaPause : QStyle::SP_MediaPlay));
    m_play->setToolTip(title);
    m_play->setAccessibleName(title);
}

} // namespace tamis::views
