// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/lane_progress.h"

#include <QHBoxLayout>
#include <QProgressBar>
#include <QToolButton>

namespace tamis::app {
namespace {
constexpr int kDelayMs = 150; ///< shorter work shows no progress
} // namespace

LaneProgress::LaneProgress(const QString& accessibleName, QWidget* parent) : QWidget(parent), m_bar(new QProgressBar(this)), m_stop(new QToolButton(this))
{
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(0, 0, 0, 0);
    m_bar->setObjectName(QStringLiteral("laneProgress"));
    m_bar->setAccessibleName(accessibleName);
    m_bar->setMaximumWidth(220);
    m_bar->setRange(0, 1000);
    m_stop->setObjectName(QStringLiteral("stopLane"));
    m_stop->setText(tr("Stop"));
    m_stop->setToolTip(tr("Stop computing; what is on screen stays"));
    row->addWidget(m_bar);
    row->addWidget(m_stop);
    m_delay.setSingleShot(true);
    m_delay.setInterval(kDelayMs);
    connect(&m_delay, &QTimer::timeout, this, &QWidget::show);
    hide();
}

void LaneProgress::follow(LaneCore& lane)
{
    connect(&lane, &LaneCore::busyChanged, this, [this](bool busy) {
        if (busy) {
            m_delay.start();
        } else {
            m_delay.stop();
            hide();
        }
    });
    connect(&lane, &LaneCore::progressed, this, [this](double fraction, const QString& label) {
        m_bar->setValue(static_cast<int>(fraction * 1000));
        m_bar->setFormat(label.isEmpty() ? QStringLiteral("%p %") : label + QStringLiteral("  %p %"));
    });
    connect(m_stop, &QToolButton::clicked, &lane, [&lane] { lane.cancel(); });
}

} // namespace tamis::app
