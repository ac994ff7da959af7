// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What reusing features between frames saves and loses. Plain values. A frame is an image of a sequence; a cell is a patch of it, row by row.
#include "core/base/parameter_schema.h"
#include "core/report/model_report.h"

#include <cstdint>
#include <string>
#include <vector>

namespace tamis::report {

/// Where a patch's features come from in one frame.
enum class PatchSource : std::uint8_t {
    Computed,  ///< in this frame
    Reused,    ///< of the last computed frame, same place
    Warped,    ///< of the last computed frame, moved from elsewhere
    Fetched,   ///< of an entry of the content cache
    Dropped,   ///< the whole frame repeats an old answer
    Coarse,    ///< of a smaller picture of the same frame
};

struct FrameResult {
    std::string file;
    bool keyFrame = false;                ///< computed whole
    std::vector<PatchSource> patches;     ///< [gridRows x gridColumns]
    std::vector<float> change;            ///< [cells] what the gate measured; empty: nothing
    std::vector<std::int32_t> movedFrom;  ///< [cells] the cell whose features were taken; empty: nothing moved
    double macs = 0, wholeMacs = 0;       ///< with gate, motion search and all; of the model run whole
    double overheadMacs = 0;              ///< of `macs`: gates, motion search, warping, keys; a sum of differences counts as one multiply-add each
    double milliseconds = 0, wholeMilliseconds = 0;
    double featureError = kNotMeasured;   ///< relative L2 of the pooled features against the model run whole on this frame
    double kl = kNotMeasured;             ///< of the outputs, nats
    int label = -1, wholeLabel = -1;      ///< largest output
    double probability = kNotMeasured, wholeProbability = kNotMeasured;
};

/// One way to reuse over a whole sequence.
struct ReuseRun {
    std::string method, title, settings;
    Parameters parameters;
    std::vector<FrameResult> frames;
    double macsShare = kNotMeasured;       ///< of running every frame whole
    double overheadShare = kNotMeasured;   ///< of the run's own MACs: gates, motion search, warping, keys
    double meanKl = kNotMeasured;          ///< nats
    int computedWhole = 0;                 ///< frames
    double timeShare = kNotMeasured;       ///< measured
    double meanError = kNotMeasured, worstError = kNotMeasured;
    double agreement = kNotMeasured;       ///< frames whose label is that of the whole model
    double drift = kNotMeasured;           ///< error in the last quarter of the stretches between key frames over that in the first; 1: none
    std::uint64_t hits = 0, falseHits = 0, misses = 0; ///< content keys: frames or patches found; of the hits those of another content; not found
    bool falseHitsMeasured = true;         ///< false: frames of a model without classes, of which nothing says whether they are alike
    bool trivial = false;                  ///< a baseline: everything computed, or frames dropped
    std::string failure;
};

struct ReuseReport {
    std::string model, sequence;
    int gridRows = 0, gridColumns = 0, frameCount = 0;
    int threads = 0;                       ///< that times were measured with
    std::vector<std::string> labels;       ///< of the classes; may be empty
    std::vector<ReuseRun> runs;            ///< the asked first, then those to compare with, then the trivial ones
    std::vector<std::string> warnings;
    double seconds = 0;
};

} // namespace tamis::report
