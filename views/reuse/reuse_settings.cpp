// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/reuse/reuse_settings.h"

#include "views/common/elided_label.h"
#include "views/common/icons.h"
#include "views/common/ink.h"
#include "views/common/theme.h"

#include <QFileInfo>
#include <QHBoxLayout>
#include <QPushButton>
#include <QVBoxLayout>

namespace tamis::views {

ReuseSettings::ReuseSettings(QWidget* parent) : MethodForm({QStringLiteral("reuseMethod"), QStringLiteral("reuseReference"), QStringLiteral("reuseParameters"), QStringLiteral("reuseTrain"), {}}, parent)
{
    setObjectName(QStringLiteral("reuseSettings"));
    buildSequence();
    addMethod();
    buildCompare();
    buildPlan();
    column()->addStretch(1);
    setSequence({}, {}, false);
    setDisabledReason({});
    setKeepReason({});
    setRunning(false);
    setSweep({}, {});
    setPlanned({}, false, {});
}

QPushButton* ReuseSettings::button(const char* name, const QString& icon, const QString& title, const QString& help)
{
    auto* made = new QPushButton(themedIcon(icon), title, this);
    made->setObjectName(QLatin1String(name));
    made->setToolTip(help);
    return made;
}

void ReuseSettings::buildSequence()
{
    auto* title = new QLabel(tr("Frames"), this);
    m_folder = new ElidedLabel(this, QStringLiteral("reuseSequence"), Ink::Text);
    m_description = mutedLabel(this, QStringLiteral("reuseSequenceText"));
    m_description->setWordWrap(true);
    m_description->setFont(Theme::smallFont(font()));
    auto* row = new QHBoxLayout;
    auto* open = button("openFrames", QStringLiteral("open"), tr("Open &frames…"), tr("A folder of pictures, in natural order of their names"));
    m_bundled = button("bundledFrames", QStringLiteral("photo"), tr("&Bundled"), tr("The bundled sequence: 60 frames of a camera that pans, zooms, rests and cuts"));
    row->addWidget(open, 1);
    row->addWidget(m_bundled);
    column()->addWidget(title);
    column()->addWidget(m_folder);
    column()->addWidget(m_description);
    column()->addLayout(row);
    column()->addSpacing(Theme::kSpacing);
    connect(open, &QPushButton::clicked, this, &ReuseSettings::openRequested);
    connect(m_bundled, &QPushButton::clicked, this, &ReuseSettings::bundledRequested);
}

void ReuseSettings::buildCompare()
{
    column()->addSpacing(Theme::kSpacing);
    m_keep = button("keepReuseRun", QStringLiteral("bookmark"), tr("&Keep for comparison"), {});
    m_forget = button("forgetReuseRuns", QStringLiteral("remove"), tr("Forget"), tr("Take out of the comparison all that was kept"));
    m_compare = button("compareReuse", QStringLiteral("compare"), tr("&Compare methods"), {});
    m_stop = button("stopReuse", QStringLiteral("stop"), tr("Stop"), tr("Stop the comparison; what is finished stays"));
    auto* row = new QHBoxLayout;
    row->addWidget(m_keep, 1);
    row->addWidget(m_forget);
    column()->addLayout(row);
    column()->addWidget(m_compare);
    m_sweep = button("sweepReuseKey", QStringLiteral("pareto"), tr("S&weep the key"), {});
    column()->addWidget(m_sweep);
    connect(m_sweep, &QPushButton::clicked, this, &ReuseSettings::sweepRequested);
    column()->addWidget(m_stop);
    m_reason = mutedLabel(this, QStringLiteral("reuseReason"));
    m_reason->setWordWrap(true);
    column()->addWidget(m_reason);
    connect(m_keep, &QPushButton::clicked, this, &ReuseSettings::keepRequested);
    connect(m_forget, &QPushButton::clicked, this, &ReuseSettings::forgetRequested);
    connect(m_compare, &QPushButton::clicked, this, &ReuseSettings::compareRequested);
    connect(m_stop, &QPushButton::clicked, this, &ReuseSettings::stopRequested);
}

void ReuseSettings::buildPlan()
{
    auto* row = new QHBoxLayout;
    m_plan = button("planReuse", QStringLiteral("plan"), tr("Add to &plan"), {});
    m_unplan = button("unplanReuse", QStringLiteral("remove"), tr("Take out"), tr("Take feature reuse out of the plan"));
    row->addWidget(m_plan, 1);
    row->addWidget(m_unplan);
    column()->addLayout(row);
    m_planned = mutedLabel(this, QStringLiteral("reusePlanned"));
    m_planned->setWordWrap(true);
    column()->addWidget(m_planned);
    connect(m_plan, &QPushButton::clicked, this, &ReuseSettings::planRequested);
    connect(m_unplan, &QPushButton::clicked, this, &ReuseSettings::unplanRequested);
}

void ReuseSettings::setSequence(const QString& folder, const QString& description, bool bundled)
{
    m_folder->setText(folder.isEmpty() ? tr("nothing chosen") : QFileInfo(folder).fileName());
    m_folder->setToolTip(folder);
    m_description->setText(description);
    m_description->setVisible(!description.isEmpty());
    m_bundled->setEnabled(!bundled);
}

void ReuseSettings::setDisabledReason(const QString& reason)
{
    m_disabled = reason;
    m_compare->setEnabled(reason.isEmpty());
    m_compare->setToolTip(reason.isEmpty() ? tr("Every method with the settings it starts from, and what was kept, on all frames") : tr("Not now: %1").arg(reason));
    m_reason->setText(reason.isEmpty() ? QString() : tr("Not now: %1.").arg(reason));
    m_reason->setVisible(!reason.isEmpty() && m_stop->isHidden());
}

void ReuseSettings::setKeepReason(const QString& reason)
{
    m_keep->setEnabled(reason.isEmpty());
    m_keep->setToolTip(reason.isEmpty() ? tr("Keep this run beside those to come") : tr("Not now: %1").arg(reason));
}

void ReuseSettings::setRunning(bool running)
{
    m_compare->setVisible(!running);
    m_stop->setVisible(running);
    m_reason->setVisible(!running && !m_disabled.isEmpty());
}

void ReuseSettings::setSweep(const QString& parameter, const QString& reason)
{
    m_sweep->setVisible(!parameter.isEmpty());
    m_sweep->setEnabled(reason.isEmpty());
    m_sweep->setToolTip(reason.isEmpty() ? tr("This key over its %1, on all frames: false hits against misses").arg(parameter) : tr("Not now: %1").arg(reason));
}

void ReuseSettings::setPlanned(const QString& title, bool same, const QString& reason)
{
    m_plan->setEnabled(reason.isEmpty() && !same);
    m_plan->setToolTip(!reason.isEmpty() ? tr("Not now: %1").arg(reason) : same ? tr("The plan has this already") : tr("Put this method with its settings into the plan"));
    m_unplan->setEnabled(!title.isEmpty());
    m_planned->setText(title.isEmpty() ? QString() : same ? tr("In the plan: this.") : tr("In the plan: %1.").arg(title));
    m_planned->setVisible(!title.isEmpty());
}

} // namespace tamis::views
