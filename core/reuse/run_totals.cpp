// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/reuse/run_totals.h"

#include <algorithm>
#include <cmath>

namespace tamis::reuse {

using report::FrameResult;
using report::kNotMeasured;

double driftOf(const std::vector<FrameResult>& frames)
{
    double early = 0, late = 0;
    bool any = false;
    for (std::size_t begin = 0; begin < frames.size();) {
        if (frames[begin].keyFrame) {
            ++begin;
            continue;
        }
        std::size_t end = begin;
        while (end < frames.size() && !frames[end].keyFrame)
            ++end;
        if (end - begin >= 4) {
            any = true;
            const std::size_t quarter = (end - begin) / 4;
            for (std::size_t i = 0; i < quarter; ++i) {
                early += frames[begin + i].featureError;
                late += frames[end - 1 - i].featureError;
            }
        }
        begin = end;
    }
    if (!any || (early == 0 && late > 0))
        return kNotMeasured;
    return early == 0 ? 1 : late / early;
}

void sumUp(report::ReuseRun& run)
{
    double macs = 0, overhead = 0, wholeMacs = 0, milliseconds = 0, wholeMilliseconds = 0, error = 0, worst = 0, kl = 0;
    std::size_t agreed = 0, judged = 0, divergences = 0;
    run.computedWhole = 0;
    for (const FrameResult& frame : run.frames) {
        macs += frame.macs;
        overhead += frame.overheadMacs;
        wholeMacs += frame.wholeMacs;
        milliseconds += frame.milliseconds;
        wholeMilliseconds += frame.wholeMilliseconds;
        error += frame.featureError;
        worst = std::max(worst, frame.featureError);
        run.computedWhole += frame.keyFrame ? 1 : 0;
        if (frame.wholeLabel >= 0) {
            ++judged;
            agreed += frame.label == frame.wholeLabel ? 1 : 0;
        }
        if (std::isfinite(frame.kl)) {
            kl += frame.kl;
            ++divergences;
        }
    }
    run.macsShare = wholeMacs > 0 ? macs / wholeMacs : kNotMeasured;
    run.timeShare = wholeMilliseconds > 0 ? milliseconds / wholeMilliseconds : kNotMeasured;
    run.overheadShare = macs > 0 ? overhead / macs : kNotMeasured;
    run.meanError = run.frames.empty() ? kNotMeasured : error / static_cast<double>(run.frames.size());
    run.worstError = run.frames.empty() ? kNotMeasured : worst;
    run.agreement = judged > 0 ? static_cast<double>(agreed) / static_cast<double>(judged) : kNotMeasured;
    run.meanKl = divergences > 0 ? kl / static_cast<double>(divergences) : kNotMeasured;
    run.drift = driftOf(run.frames);
}

} // namespace tamis::reuse
