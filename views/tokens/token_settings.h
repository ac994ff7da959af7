// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "views/common/method_form.h"

namespace tamis::views {

/// The reduction and its parameters as live sliders, and what was asked for by hand.
class TokenSettings : public MethodForm {
    Q_OBJECT
public:
    explicit TokenSettings(QWidget* parent = nullptr);
    void setWishes(int kept, int dropped); ///< patches by hand
    void setWishable(bool wishable, const QString& reason); ///< whether the method takes them; a sentence why not
    /// What the plan has of this lab, in words, and whether it is what is set now; empty: nothing. `reason`: why nothing can be put in now; empty: it can.
    void setPlanned(const QString& planned, bool same, const QString& reason);

signals:
    void clearWishesRequested();
    void planRequested();   ///< put what is set into the plan
    void unplanRequested(); ///< take it out

private:
    void showWishes();

    int m_kept = 0, m_dropped = 0;
    QString m_unwishable; ///< empty: the method takes wishes
    QLabel *m_wishes, *m_planned;
    QPushButton *m_clear, *m_plan, *m_unplan;
};

} // namespace tamis::views
