// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Words, colours and counts that the frame player's views share.
#include "core/report/reuse_report.h"

#include <QColor>
#include <QString>

#include <array>
#include <string>
#include <vector>

namespace tamis::views {

inline constexpr int kPatchSources = 6; ///< values of report::PatchSource

inline QString words(const std::string& s) { return QString::fromStdString(s); }

QString patchSourceName(report::PatchSource source); ///< "computed"
QString patchSourceHelp(report::PatchSource source); ///< where the features are from, in words
QColor patchSourceColor(report::PatchSource source); ///< in the theme of now; colour-blind readers can tell them apart

/// [kPatchSources] patches of each source.
std::array<int, kPatchSources> patchCounts(const report::FrameResult& frame);
/// The sources that any frame of the run has, in the order of the values.
std::vector<report::PatchSource> patchSourcesOf(const report::ReuseRun& run);
double macsShareOf(const report::FrameResult& frame); ///< NaN where the whole is not known
bool isFlipped(const report::FrameResult& frame);     ///< another label than the whole model's
/// "Token gate, threshold 0.05"; the title alone without settings, and of trivial runs, whose titles say it all.
QString runTitle(const report::ReuseRun& run);
QString labelName(const report::ReuseReport& report, int label); ///< its name, else "class 3"; a dash below 0

} // namespace tamis::views
