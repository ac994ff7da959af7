// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Headers of tables that are written down once, untranslated.
#include <Qt>

#include <cstddef>

namespace tamis::views {

/// Of a column, marked with QT_TRANSLATE_NOOP for the model's context.
struct Heading {
    const char* title;
    const char* help; ///< its tool tip
};

/// What headerData translates for `role`; nullptr: it has nothing to say.
template <std::size_t N> const char* headingText(const Heading (&headings)[N], int section, Qt::Orientation orientation, int role)
{
    if (orientation != Qt::Horizontal || section < 0 || static_cast<std::size_t>(section) >= N)
        return nullptr;
    return role == Qt::DisplayRole ? headings[section].title : role == Qt::ToolTipRole ? headings[section].help : nullptr;
}

} // namespace tamis::views
