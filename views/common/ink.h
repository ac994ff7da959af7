// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Labels in the theme's inks that follow a change of theme.
#include "views/common/theme.h"

#include <QLabel>

namespace tamis::views {

void setInk(QLabel* label, Ink ink); ///< once a label
/// A label of `parent` in `ink`.
QLabel* inkedLabel(QWidget* parent, const QString& name, Ink ink);
inline QLabel* mutedLabel(QWidget* parent, const QString& name) { return inkedLabel(parent, name, Ink::MutedText); }

} // namespace tamis::views
