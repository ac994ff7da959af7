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
    column()->addStretch(1);
    connect(m_clear, &QPushButton::clicked, this, &TokenSettings::clearWishesRequested);
    setWishes(0, 0);
}

void TokenSettings::setWishes(int kept, int dropped)
{
    m_wishes->setText(kept + dropped == 0 ? tr("Click a patch of the reduced photo: once keeps it at every block, twice drops it, the third time leaves it to the method.")
                                          : tr("%1 kept, %2 dropped").arg(kept).arg(dropped));
    m_clear->setEnabled(kept + dropped > 0);
}

} // namespace tamis::views
