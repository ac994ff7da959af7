// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/hierarchy/levels_settings.h"

#include "views/common/elided_label.h"
#include "views/common/icons.h"
#include "views/common/ink.h"

#include <QFileInfo>
#include <QHBoxLayout>
#include <QPushButton>
#include <QVBoxLayout>

namespace tamis::views {

LevelsSettings::LevelsSettings(QWidget* parent)
    : MethodForm({QStringLiteral("levelsMethod"), QStringLiteral("levelsReference"), QStringLiteral("levelsParameters"), QStringLiteral("levelsTrain"), {}}, parent),
      m_source(new ElidedLabel(this, QStringLiteral("levelsSource"), Ink::Text)), m_useTrace(new QPushButton(tr("Use the &trace"), this))
{
    auto* title = new QLabel(tr("Requests"), this);
    auto* frames = new QPushButton(themedIcon(QStringLiteral("open")), tr("&Frames…"), this);
    frames->setObjectName(QStringLiteral("chooseFrames"));
    frames->setToolTip(tr("A folder of frames, whose features in the open vision model are asked for, frame by frame"));
    m_useTrace->setObjectName(QStringLiteral("useTrace"));
    m_useTrace->setToolTip(tr("The trace that is open in this tab, instead of frames"));
    auto* row = new QHBoxLayout;
    row->addWidget(frames);
    row->addWidget(m_useTrace);
    row->addStretch(1);
    column()->addWidget(title);
    column()->addWidget(m_source);
    column()->addLayout(row);
    addMethod();
    column()->addStretch(1);
    connect(frames, &QPushButton::clicked, this, &LevelsSettings::framesRequested);
    connect(m_useTrace, &QPushButton::clicked, this, &LevelsSettings::traceRequested);
    showSource();
}

void LevelsSettings::setFrames(const QString& folder)
{
    m_frames = folder;
    showSource();
}

void LevelsSettings::setTrace(const QString& file)
{
    m_trace = file;
    showSource();
}

void LevelsSettings::showSource()
{
    const QString& path = m_frames.isEmpty() ? m_trace : m_frames;
    m_source->setText(path.isEmpty() ? tr("neither frames nor a trace is open") : m_frames.isEmpty() ? tr("trace %1").arg(QFileInfo(path).fileName()) : tr("frames of %1").arg(QFileInfo(path).fileName()));
    m_source->setToolTip(path);
    m_useTrace->setVisible(!m_frames.isEmpty());
}

} // namespace tamis::views
