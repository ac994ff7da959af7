// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The picture of one photo's tokens as a file, the same that the window exports.
#include "views/common/figure.h"
#include "views/tokens/token_picture.h"

#include <QSize>

#include <optional>

namespace tamis::views {

struct TokenSheet {
    TokenPicture picture;
    QString title;   ///< of the method and its settings
    QString caption; ///< settings, below the picture and in the file
    int depth = -1;  ///< -1: behind the last block that was run
    TokenShade shade = TokenShade::Tokens;
    QSize size{420, 460}; ///< logical pixels, without the caption
};

/// Needs a QApplication, of platform "offscreen" will do; its thread. PNG, SVG or CSV, with the settings inside. nullopt: written, in one go.
/// Otherwise one sentence.
std::optional<QString> writeTokenSheet(const TokenSheet& sheet, FigureFormat format, const QString& path);

} // namespace tamis::views
