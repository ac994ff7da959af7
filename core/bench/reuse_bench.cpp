// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/bench/reuse_bench.h"

#include "core/base/error.h"
#include "core/base/number_text.h"
#include "core/reuse/block_match.h"
#include "core/reuse/run_reuse.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

namespace tamis::bench {
namespace {
constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();

template <class Function> double secondsOf(int rounds, Function&& function)
{
    double least = std::numeric_limits<double>::infinity();
    for (int round = 0; round < rounds; ++round) {
        const auto start = std::chrono::steady_clock::now();
        function();
        least = std::min(least, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
    return least;
}

/// Waves with fine detail, moved.
reuse::Plane picture(std::int64_t side, double dx, double dy)
{
    reuse::Plane plane(side, side);
    for (std::int64_t y = 0; y < side; ++y)
        for (std::int64_t x = 0; x < side; ++x) {
            const double u = static_cast<double>(x) + dx, v = static_cast<double>(y) + dy;
            plane(y, x) = static_cast<float>(128 + 40 * std::sin(0.11 * u + 0.05 * v) + 30 * std::cos(0.07 * v - 0.03 * u) + 20 * std::sin(0.9 * u) * std::cos(0.8 * v));
        }
    return plane;
}

/// Least sums of absolute differences over all displacements, one after another and to their end.
std::vector<float> plainSearch(const reuse::Plane& now, const reuse::Plane& then, std::int64_t patch, const reuse::BlockMatchSettings& settings, double& differences, const RunContext& context)
{
    std::vector<float> least;
    const std::int64_t grid = now.rows() / patch, side = now.rows();
    differences = 0;
    for (std::int64_t p = 0; p < grid * grid; ++p) {
        context.throwIfStopped();
        const std::int64_t top = std::max<std::int64_t>(p / grid * patch - settings.margin, 0), left = std::max<std::int64_t>(p % grid * patch - settings.margin, 0);
        const std::int64_t bottom = std::min((p / grid + 1) * patch + settings.margin, side), right = std::min((p % grid + 1) * patch + settings.margin, side);
        least.push_back(std::numeric_limits<float>::infinity());
        for (std::int64_t dy = std::max(-settings.range, -top); dy <= std::min(settings.range, side - bottom); ++dy)
            for (std::int64_t dx = std::max(-settings.range, -left); dx <= std::min(settings.range, side - right); ++dx) {
                float sums[8] = {};
                for (std::int64_t y = top; y < bottom; ++y) {
                    const float *a = now.data() + y * side, *b = then.data() + (y + dy) * side + dx;
                    std::int64_t x = left;
                    for (; x + 8 <= right; x += 8)
                        for (std::int64_t lane = 0; lane < 8; ++lane)
                            sums[lane] += std::abs(a[x + lane] - b[x + lane]);
                    for (; x < right; ++x)
                        sums[0] += std::abs(a[x] - b[x]);
                }
                float sum = 0;
                for (const float part : sums)
                    sum += part;
                differences += static_cast<double>((bottom - top) * (right - left));
                least.back() = std::min(least.back(), sum / static_cast<float>((bottom - top) * (right - left)));
            }
    }
    return least;
}

BenchResult benchSearch(const RunContext& context, const ReuseBenchInputs& inputs)
{
    const auto now = picture(inputs.side, 5.3, -3.6), then = picture(inputs.side, 0, 0);
    const std::int64_t grid = inputs.side / inputs.patch;
    const reuse::BlockMatchSettings settings{inputs.patch, inputs.patch / 2, reuse::BlockSearch::Exhaustive, false};
    std::vector<reuse::Displacement> found;
    std::vector<float> least;
    double differences = 0, all = 0;
    BenchResult result;
    result.name = "blocks of " + std::to_string(inputs.patch) + " in " + std::to_string(inputs.side) + " x " + std::to_string(inputs.side);
    result.oursSeconds = secondsOf(inputs.rounds, [&] { found = reuse::matchBlocks(now.view(), then.view(), grid, grid, settings, &differences, context); });
    result.peerSeconds = secondsOf(1, [&] { least = plainSearch(now, then, inputs.patch, settings, all, context); });
    for (std::size_t p = 0; p < found.size(); ++p)
        if (!(std::abs(found[p].error - least[p]) <= 1e-4f * least[p] + 1e-5f)) // sums of a thousand floats in another order
            throw Error(ErrorCode::InvalidParameter, "found a sum of " + fixedText(static_cast<double>(found[p].error), 6) + " for block " + std::to_string(p) + ", expected the plain search's " + fixedText(static_cast<double>(least[p]), 6), result.name);
    result.peerName = "plain loops over all displacements, one thread";
    result.ratio = result.peerSeconds / result.oursSeconds;
    result.unit = "s a frame";
    result.bound = "the differences that it compares at the rate of the plain loops";
    result.boundFraction = result.peerSeconds * differences / all / result.oursSeconds;
    result.note = fixedText(100 * differences / all, 1) + " % of the differences compared, the same least sums";
    return result;
}
} // namespace

std::vector<BenchResult> benchReuse(const RunContext& context, const ReuseBenchInputs& inputs)
{
    context.setParts(10);
    std::vector<BenchResult> results{benchSearch(context.part(1, "search for blocks"), inputs)};
    if (!inputs.model || !inputs.sequence)
        return results;
    std::vector<reuse::Configuration> all;
    for (const auto& method : reuse::methods())
        if (!method.frames)
            all.push_back({method.declaration.id, {}});
    const auto report = reuse::runReuse(inputs.model, *inputs.sequence, all, {.baselines = false, .rounds = inputs.rounds}, context.part(9, "methods"));
    for (const auto& run : report.runs) {
        BenchResult result;
        result.name = run.method + " on " + report.sequence;
        if (!run.failure.empty()) {
            result.oursSeconds = result.peerSeconds = result.ratio = result.boundFraction = kNothing;
            result.note = run.failure;
            results.push_back(std::move(result));
            continue;
        }
        for (const auto& frame : run.frames) {
            result.oursSeconds += frame.milliseconds / 1e3;
            result.peerSeconds += frame.wholeMilliseconds / 1e3;
        }
        result.peerName = "every frame whole";
        result.ratio = result.peerSeconds / result.oursSeconds;
        result.unit = "s for " + std::to_string(report.frameCount) + " frames";
        result.bound = "the whole frames' time by the share of multiply-adds, " + fixedText(100 * run.macsShare, 1) + " %";
        result.boundFraction = result.peerSeconds * run.macsShare / result.oursSeconds;
        result.note = "mean error " + fixedText(run.meanError, 3) + ", same label in " + fixedText(100 * run.agreement, 1) + " %, " + fixedText(100 * run.overheadShare, 1) + " % of its multiply-adds are overhead";
        results.push_back(std::move(result));
    }
    return results;
}

} // namespace tamis::bench
