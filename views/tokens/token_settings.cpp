// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/tokens/token_settings.h"

#include "views/common/icons.h"
#include "views/common/ink.h"
#include "views/common/theme.h"

#include <QPushButton>
#include <QVBoxLayout>

namespace tamis::views {

TokenSettings::TokenSettings(QWidget* parent)
    : MethodForm({.method = QStringLiteral("tokenMethod"),
                  .reference = QStringLiteral("tokenReference"),
                  .parameters = QStringLiteral("tokenParameters"),
                  .train = QStringLiteral("trainTokens"),
                  .trainHelp = tr("Trains this method on the photos; what it keeps is shown when it is done")},
                 parent)
{
    setObjectName(QStringLiteral("tokenSettings"));
    addMethod();
    column()->addSpacing(Theme::kSpacing);
    column()->addWidget(new QLabel(tr("By hand"), this));
    m_wishes = mutedLabel(this, QStringLiteral("tokenWishes"));
    m_wishes->setWordWrap(true);
    column()->addWidget(m_wishes);
    m_clear = new QPushButton(themedIcon(QStringLiteral("reset")), tr("Forget what was asked by hand"), this);
    m_clear->setObjectName(QStringLiteral("clearWishes"));
    column()->addWidget(m_clear);
    column()->addSpacing(Theme::kSpacing);
    column()->addWidget(new QLabel(tr("Plan"), this));
    m_planned = mutedLabel(this, QStringLiteral("plannedTokens"));
    m_planned->setWordWrap(true);
    column()->addWidget(m_planned);
    m_plan = new QPushButton(themedIcon(QStringLiteral("add")), tr("Put into the plan"), this);
    m_plan->setObjectName(QStringLiteral("planTokens"));
    column()->addWidget(m_plan);
    m_unplan = new QPushButton(themedIcon(QStringLiteral("remove")), tr("Take out of the plan"), this);
    m_unplan->setObjectName(QStringLiteral("unplanTokens"));
    column()->addWidget(m_unplan);
    column()->addStretch(1);
    connect(m_plan, &QPushButton::clicked, this, &TokenSettings::planRequested);
    connect(m_unplan, &QPushButton::clicked, this, &TokenSettings::unplanRequested);
    connect(m_clear, &QPushButton::clicked, this, &TokenSettings::clearWishesRequested);
    setWishes(0, 0);
    setPlanned({}, false, tr("nothing is open"));
}

void TokenSettings::setWishes(int kept, int dropped)
{
    m_kept = kept;
    m_dropped = dropped;
    showWishes();
}

void TokenSettings::setWishable(bool wishable, const QString& reason)
{
    m_unwishable = wishable ? QString() : reason;
    showWishes();
}

void TokenSettings::showWishes()
{
    const bool some = m_kept + m_dropped > 0;
    QString text = some ? tr("%1 kept, %2 dropped").arg(m_kept).arg(m_dropped)
                        : tr("Click a patch of the reduced photo: once keeps it at every block, twice drops it, the third time leaves it to the method.");
    if (!m_unwishable.isEmpty())
        text = some ? text + QStringLiteral(". ") + m_unwishable : m_unwishable;
    m_wishes->setText(text);
    m_clear->setEnabled(some);
}

void TokenSettings::setPlanned(const QString& planned, bool same, const QString& reason)
{
    m_planned->setText(planned.isEmpty() ? tr("The plan leaves tokens as they are.") : planned);
    m_plan->setEnabled(reason.isEmpty() && !same);
    m_plan->setToolTip(!reason.isEmpty() ? tr("Not now: %1").arg(reason)
                       : same            ? tr("The plan has this method with these settings")
                                         : tr("Method, parameters and the tokens behind each block as measured; Save plan writes them, tamis-cli run --plan takes them"));
    m_unplan->setVisible(!planned.isEmpty());
}

} // namespace tamis::views
