// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Reports of the cache lab made by hand, with numbers that a test can recognise.
#include "core/report/cache_report.h"
#include "core/report/cache_size_report.h"
#include "views/cache/curve_table_model.h"

#include <cmath>
#include <memory>
#include <vector>

namespace tamis::test {

inline report::CacheReport cacheAbout(bool sized = false)
{
    report::CacheReport about{.trace = "made.txt", .requests = 1000, .objects = 100, .workingSet = sized ? 51200u : 100u, .sized = sized, .warmUp = 0};
    about.compulsory = 0.1;
    return about;
}

/// Hit ratios `base` + 0.2 for each of the sizes 1, 10, 100.
inline views::ShownCurve cacheCurve(const char* policy, const char* title, double base, int colour)
{
    views::ShownCurve shown;
    shown.title = QString::fromUtf8(title);
    shown.colour = colour;
    shown.curve.policy = policy;
    shown.curve.title = title;
    shown.curve.settings = "k 2";
    shown.curve.seconds = 0.5;
    shown.curve.stateBytes = 4096;
    double hit = base;
    for (const std::uint64_t size : {1u, 10u, 100u}) {
        report::PolicyPoint point{.size = size, .requests = 1000, .hits = static_cast<std::uint64_t>(hit * 1000), .bytes = 1000, .hitBytes = 0};
        point.hitRatio = hit;
        point.byteHitRatio = hit / 2;
        shown.curve.points.push_back(point);
        hit += 0.2;
    }
    return shown;
}

inline std::shared_ptr<report::CacheSizeReport> cacheSizeSample()
{
    auto made = std::make_shared<report::CacheSizeReport>();
    made->title = "LRU";
    made->size = 10;
    made->warmUp = 100;
    made->requests = 900;
    made->hits = 450;
    made->windows = {{0, 100, 10, 100, 10}, {100, 450, 225, 450, 200}, {550, 450, 225, 450, 250}};
    made->evicted = {.evictions = 100, .neverWanted = 40, .wantedAfter = {5, 10, 45}, .neverUsed = 60};
    made->held = 10;
    made->stateBytes = 2048;
    return made;
}

/// 4 columns of 250 requests, distances 1, 2-3, 4-7, 8-15.
inline std::shared_ptr<report::TraceReport> traceSample()
{
    auto made = std::make_shared<report::TraceReport>();
    made->requests = 1000;
    made->objects = 100;
    made->columns = 4;
    made->distanceBins = 4;
    made->requestsPerColumn = 250;
    made->counts = {50, 50, 50, 50, 100, 50, 25, 25, 60, 60, 60, 50, 50, 100, 50, 20};
    made->first = {50, 50, 20, 30};
    made->ranks = {1, 10, 100};
    made->rankRequests = {200, 20, 2};
    made->zipfExponent = 1;
    made->zipfDistance = 0.05;
    return made;
}

/// Objects 1, 2 and 3 through a cache of two cells; 7 and 8 lie there before: 1 (miss, 7 leaves), 2 (miss, 8 leaves), 1 (hit), 3 (miss, 2 leaves), 9 (passes by).
inline std::shared_ptr<report::CacheStepReport> stepSample(const char* title = "LRU")
{
    auto made = std::make_shared<report::CacheStepReport>();
    made->title = title;
    made->settings = "k 2";
    made->size = 2;
    made->first = 40;
    made->cells = 2;
    made->start = {7, 8};
    made->named = {1, 2, 3, 7, 8, 9};
    made->names = {"one", "two", "three", "seven", "eight", "nine"};
    made->steps = {{40, 1, 1, false, false, 0, {{7, 0, "least recently requested of the 2 held", 12}}},
                   {41, 2, 1, false, false, 1, {{8, 1, "least recently requested of the 2 held", -1}}},
                   {42, 1, 1, true, false, 0, {}},
                   {43, 3, 1, false, false, 1, {{2, 1, "least recently requested of the 2 held", 1}}},
                   {44, 9, 5, false, true, -1, {}}};
    return made;
}

} // namespace tamis::test
