// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Icons of resources/icons, drawn in a colour of the theme at any size and pixel ratio.
#include "views/common/theme.h"

#include <QIcon>
#include <QString>

namespace tamis::views {

/// resources/icons/<name>.svg in the colour of `ink` (asked for at each drawing, so that it follows the theme; disabled:
/// Ink::Border). Unknown name: a null icon.
QIcon themedIcon(const QString& name, Ink ink = Ink::Text);
QIcon applicationIcon();
void registerIcons(); ///< makes :/icons known; the functions above and Theme::apply call it

} // namespace tamis::views
