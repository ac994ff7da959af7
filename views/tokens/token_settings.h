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

signals:
    void clearWishesRequested();

private:
    QLabel* m_wishes;
    QPushButton* m_clear;
};

} // namespace tamis::views
