// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A report made by hand: ten frames of 2 x 3 patches, a gate with an asked and a kept setting, and the trivial baselines.
#include "core/report/reuse_report.h"

#include <memory>

namespace tamis::test {

inline report::FrameResult sampleFrame(int index, bool key)
{
    using report::PatchSource;
    report::FrameResult frame;
    frame.file = "f" + std::to_string(index) + ".jpg";
    frame.keyFrame = key;
    frame.patches.assign(6, key ? PatchSource::Computed : PatchSource::Reused);
    frame.change = {0, 0.01F, 0.02F, 0.03F, 0.04F, 0.5F};
    frame.wholeMacs = 1000;
    frame.macs = key ? 1000 : 200 + 10.0 * index;
    frame.overheadMacs = 10;
    frame.milliseconds = key ? 4 : 1;
    frame.wholeMilliseconds = 4;
    frame.featureError = key ? 0 : 0.01 * index;
    frame.kl = key ? 0 : 0.001 * index;
    frame.label = frame.wholeLabel = 1;
    frame.probability = 0.75;
    frame.wholeProbability = 0.875;
    if (!key) {
        frame.patches[5] = PatchSource::Computed;
        frame.patches[4] = PatchSource::Warped;
        frame.movedFrom = {-1, -1, -1, -1, 0, -1}; // the patch in the middle below from the corner above
    }
    return frame;
}

inline report::ReuseRun sampleRun(const char* method, const char* title, const char* settings, double macs, double error, bool trivial)
{
    report::ReuseRun run;
    run.method = method;
    run.title = title;
    run.settings = settings;
    run.trivial = trivial;
    run.macsShare = macs;
    run.timeShare = macs * 1.25;
    run.overheadShare = 0.05;
    run.meanError = error;
    run.worstError = 2 * error;
    run.meanKl = error / 10;
    run.agreement = 0.9;
    run.drift = 1.5;
    run.computedWhole = 2;
    for (int i = 0; i < 10; ++i)
        run.frames.push_back(sampleFrame(i, i % 5 == 0));
    return run;
}

/// Frame 7 of the asked run has another label; frames 0 and 5 are key frames.
inline std::shared_ptr<report::ReuseReport> sampleReuse()
{
    auto made = std::make_shared<report::ReuseReport>();
    made->model = "vit20";
    made->sequence = "motion";
    made->gridRows = 2;
    made->gridColumns = 3;
    made->frameCount = 10;
    made->labels = {"cat", "dog", "fox"};
    made->runs = {sampleRun("reuse.gate", "Token gate", "threshold 0.1", 0.4, 0.02, false), sampleRun("reuse.gate", "Token gate", "threshold 0.3", 0.2, 0.06, false),
                  sampleRun("", "Everything computed", "", 1.0, 0.0, true), sampleRun("", "Frames dropped", "interval 4", 0.25, 0.2, true)};
    made->runs[0].parameters.set("policy", std::string("threshold"));
    made->runs[0].parameters.set("threshold", 0.1);
    made->runs[0].frames[7].label = 2;
    made->runs[1].hits = 6;
    made->runs[1].falseHits = 2;
    made->runs[1].misses = 8;
    return made;
}

} // namespace tamis::test
