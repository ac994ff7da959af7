// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/hierarchy/levels_settings.h"

#include "views/common/elided_label.h"
#include "views/common/icons.h"
#include "views/common/ink.h"

#include <QComboBox>
#include <QFileInfo>
#include <QHBoxLayout>
#include <QPushButton>
#include <QVBoxLayout>

namespace tamis::views {

LevelsSettings::LevelsSettings(QWidget* parent)
    : MethodForm({QStringLiteral("levelsMethod"), QStringLiteral("levelsReference"), QStringLiteral("levelsParameters"), QStringLiteral("levelsTrain"), {}}, parent),
      m_source(new ElidedLabel(this, QStringLiteral("levelsSource"), Ink::Text)), m_useTrace(new QPushButton(tr("Use the &trace"), this)),
      m_cursor(new QComboBox(this))
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
    addCursor();
    addMethod();
    column()->addStretch(1);
    connect(frames, &QPushButton::clicked, this, &LevelsSettings::framesRequested);
    connect(m_useTrace, &QPushButton::clicked, this, &LevelsSettings::traceRequested);
    showSource();
}

void LevelsSettings::addCursor()
{
    m_cursor->setObjectName(QStringLiteral("cursorLevel"));
    for (const char* level : {"l1", "l2", "l3"})
        m_cursor->addItem(QString::fromLatin1(level).toUpper(), QString::fromLatin1(level));
    m_cursor->addItem(tr("nothing"), QStringLiteral("none"));
    auto* label = new QLabel(tr("The size &cursor sets"), this);
    label->setBuddy(m_cursor);
    auto* row = new QHBoxLayout;
    row->addWidget(label);
    row->addWidget(m_cursor, 1);
    column()->addLayout(row);
    connect(m_cursor, &QComboBox::activated, this, [this](int index) { emit cursorLevelEdited(m_cursor->itemData(index).toString()); });
}

void LevelsSettings::setCursorLevel(const QString& level) { m_cursor->setCurrentIndex(m_cursor->findData(level)); }

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
    m_cursor->setEnabled(m_frames.isEmpty());
    m_cursor->setToolTip(m_frames.isEmpty() ? tr("The level that is as large as the size under the cursor of the curves; setting its capacity here lets the cursor go") : tr("The cursor is of the trace's curves: frames have none"));
}

} // namespace tamis::views
