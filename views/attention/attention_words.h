// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Words that the attention lab's pages share.
#include "core/report/attention_report.h"

#include <QString>
#include <QStringList>

#include <optional>
#include <string>
#include <vector>

namespace tamis::views {

inline QString words(const std::string& s) { return QString::fromStdString(s); }

/// What stands in a head's place, where the user or a plan said so for it or its block alone.
struct OwnChoice {
    int layer = 0;
    std::int64_t head = -1; ///< -1: all of the layer
    QString title;          ///< "Nyström, landmarks 16"; "exact"
};

/// What stands in the heads that have no choice of their own.
struct GeneralChoice {
    QString title;                          ///< "Nyström, landmarks 16"
    std::optional<std::vector<int>> blocks; ///< in these; the others are exact; nothing: in all
};

/// Of each token: its piece of text, or its place in the photo.
QStringList tokenNamesOf(const report::AttentionHeadView& view);
/// The row of a photo's middle patch; the last token of a text; -1 for an empty view.
int firstQuery(const report::AttentionHeadView& view);

} // namespace tamis::views
