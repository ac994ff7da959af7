// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/reuse/reuse_words.h"

#include "views/common/theme.h"

#include <QObject>

namespace tamis::views {
using report::PatchSource;

QString patchSourceName(PatchSource source)
{
    switch (source) {
    case PatchSource::Computed: return QObject::tr("computed");
    case PatchSource::Reused: return QObject::tr("reused");
    case PatchSource::Warped: return QObject::tr("warped");
    case PatchSource::Fetched: return QObject::tr("fetched");
    case PatchSource::Dropped: return QObject::tr("dropped");
    case PatchSource::Coarse: return QObject::tr("coarse");
    }
    return {};
}

QString patchSourceHelp(PatchSource source)
{
    switch (source) {
    case PatchSource::Computed: return QObject::tr("computed in this frame");
    case PatchSource::Reused: return QObject::tr("reused: the features of the last computed frame at this place");
    case PatchSource::Warped: return QObject::tr("warped: the features of the last computed frame, moved from elsewhere");
    case PatchSource::Fetched: return QObject::tr("fetched: the features of an entry of the content cache");
    case PatchSource::Dropped: return QObject::tr("dropped: the whole frame repeats an old answer");
    case PatchSource::Coarse: return QObject::tr("coarse: the features of a smaller picture of this frame");
    }
    return {};
}

QColor patchSourceColor(PatchSource source)
{
    constexpr int kSeries[kPatchSources] = {1, 0, 4, 2, 9, 5}; // of the theme: warm for what is computed, cool for what is not, grey for what is gone
    return Theme::instance().seriesColor(kSeries[static_cast<std::size_t>(source)]);
}

std::array<int, kPatchSources> patchCounts(const report::FrameResult& frame)
{
    std::array<int, kPatchSources> counts{};
    for (const PatchSource source : frame.patches)
        ++counts[static_cast<std::size_t>(source)];
    return counts;
}

std::vector<PatchSource> patchSourcesOf(const report::ReuseRun& run)
{
    std::array<bool, kPatchSources> seen{};
    for (const auto& frame : run.frames)
        for (const PatchSource source : frame.patches)
            seen[static_cast<std::size_t>(source)] = true;
    std::vector<PatchSource> sources;
    for (int i = 0; i < kPatchSources; ++i)
        if (seen[static_cast<std::size_t>(i)])
            sources.push_back(static_cast<PatchSource>(i));
    return sources;
}

double macsShareOf(const report::FrameResult& frame) { return frame.wholeMacs > 0 ? frame.macs / frame.wholeMacs : report::kNotMeasured; }

bool isFlipped(const report::FrameResult& frame) { return frame.label >= 0 && frame.wholeLabel >= 0 && frame.label != frame.wholeLabel; }

QString runTitle(const report::ReuseRun& run) { return run.settings.empty() || run.trivial ? words(run.title) : QStringLiteral("%1, %2").arg(words(run.title), words(run.settings)); }

QString labelName(const report::ReuseReport& report, int label)
{
    if (label < 0)
        return QStringLiteral("–");
    const auto at = static_cast<std::size_t>(label);
    return at < report.labels.size() && !report.labels[at].empty() ? words(report.labels[at]) : QObject::tr("class %1").arg(label);
}

} // namespace tamis::views
