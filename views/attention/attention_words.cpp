// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/attention/attention_words.h"

#include <QCoreApplication>

namespace tamis::views {

QStringList tokenNamesOf(const report::AttentionHeadView& view)
{
    const auto say = [](const char* text) { return QCoreApplication::translate("AttentionLab", text); };
    QStringList names;
    if (!view.tokenLabels.empty()) {
        for (const auto& label : view.tokenLabels)
            names << words(label);
        return names;
    }
    for (std::int64_t token = 0; token < view.tokens; ++token) {
        const std::int64_t patch = token - view.prefixTokens;
        if (view.gridWidth <= 0)
            names << QString();
        else if (patch < 0)
            names << (token == 0 ? say("class token") : say("extra token"));
        else
            names << say("(row %1, column %2)").arg(patch / view.gridWidth).arg(patch % view.gridWidth);
    }
    return names;
}

int firstQuery(const report::AttentionHeadView& view)
{
    return static_cast<int>(view.gridWidth > 0 ? view.prefixTokens + (view.gridHeight / 2) * view.gridWidth + view.gridWidth / 2 : view.tokens - 1);
}

} // namespace tamis::views
