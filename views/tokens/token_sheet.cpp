// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/tokens/token_sheet.h"

#include "views/common/figure_export.h"
#include "views/tokens/token_overlay_view.h"

namespace tamis::views {

std::optional<QString> writeTokenSheet(const TokenSheet& sheet, FigureFormat format, const QString& path)
{
    TokenOverlayView view; // is not shown: it draws itself into the file
    view.resize(sheet.size);
    view.setTitle(sheet.title);
    view.setPicture(sheet.picture);
    view.setDepth(sheet.depth < 0 ? sheet.picture.runBlocks() : sheet.depth);
    view.setShade(sheet.shade);
    view.setCaption(sheet.caption);
    return writeFigure(view, format, path);
}

} // namespace tamis::views
