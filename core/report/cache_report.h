// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What the cache lab produces and its views show. Plain values. A size is bytes where the trace has sizes, objects where it has not.
#include "core/base/parameter_schema.h"
#include "core/report/model_report.h"

#include <cstdint>
#include <string>
#include <vector>

namespace tamis::report {

/// What a policy has learned or chosen by the end of the trace.
struct PolicyFigure {
    std::string name;
    double value = 0;
};

/// One policy at one size.
struct PolicyPoint {
    std::uint64_t size = 0;
    std::uint64_t requests = 0, hits = 0;  ///< behind the warm-up; of a sample: scaled to all
    std::uint64_t bytes = 0, hitBytes = 0; ///< objects where the trace has no sizes
    double hitRatio = kNotMeasured, byteHitRatio = kNotMeasured;
    double deviation = kNotMeasured; ///< of hitRatio, between samples; not a number: exact
    double cost = 0, missCost = 0;   ///< of all requests, of the misses, in the trace's unit; 0 where it has no costs
    double costMissRatio = kNotMeasured;
    std::uint64_t sceneChanges = 0;  ///< that the rule of scene changes acted on; of samples: their mean, rounded
    double unruledHitRatio = kNotMeasured; ///< with the same rules but for scene changes; not a number: there is no such rule
    std::vector<PolicyFigure> figures;
};

struct PolicyCurve {
    std::string policy, title, settings;
    Parameters parameters;     ///< complete
    bool limit = false;        ///< no policy has more hits
    bool bound = false;        ///< no cache, but a number that none can pass; hits and bytes each for themselves
    std::string rules;         ///< of capacity, in words; empty: none
    bool knowsFuture = false;  ///< nothing that can be built
    bool exact = true;         ///< false: from samples of the objects
    std::vector<PolicyPoint> points; ///< ascending sizes
    double seconds = 0;        ///< of computing it, on one thread
    std::uint64_t stateBytes = 0; ///< bookkeeping at the largest size
    std::string failure;
};

struct CacheReport {
    std::string trace;
    std::uint64_t requests = 0, objects = 0, workingSet = 0;
    bool sized = false, costed = false;
    std::uint64_t warmUp = 0;            ///< requests that are not counted
    double compulsory = kNotMeasured;    ///< first requests of their object, share of those counted: no policy can hit them
    std::vector<PolicyCurve> curves;
    std::vector<std::string> warnings;
    double seconds = 0;
};

} // namespace tamis::report
