// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/report/encoder_recall.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace tamis::report {
namespace {
constexpr std::size_t kCurvePoints = 400;

/// The ceil(percent n / 100)-th smallest of `sorted`, the smallest for 0.
double nearest(const std::vector<double>& sorted, std::size_t percent)
{
    return sorted[std::max<std::size_t>(1, (sorted.size() * percent + 99) / 100) - 1];
}

void summarise(RecallAtCut& recall)
{
    if (recall.tokens.empty())
        return;
    double sum = 0;
    for (const double token : recall.tokens) {
        sum += token;
        recall.complete += token >= 1;
    }
    recall.mean = sum / static_cast<double>(recall.tokens.size());
    auto sorted = recall.tokens;
    std::sort(sorted.begin(), sorted.end());
    recall.p5 = nearest(sorted, 5);
    recall.p1 = nearest(sorted, 1);
    recall.min = sorted.front();
}

std::vector<double> sortedRanks(const EncoderReport& report)
{
    auto ranks = report.coarseRanks;
    std::sort(ranks.begin(), ranks.end());
    return ranks;
}
} // namespace

bool hasCoarseRanks(const EncoderReport& report) { return !report.coarseRanks.empty(); }

RecallAtCut recallAtCut(const EncoderReport& report, std::int64_t cut)
{
    RecallAtCut recall;
    recall.cut = cut;
    if (!hasCoarseRanks(report))
        return recall;
    std::size_t at = 0;
    for (const TokenOutcome& outcome : report.outcomes) {
        const std::size_t end = std::min(at + static_cast<std::size_t>(outcome.exact), report.coarseRanks.size());
        std::int64_t found = 0;
        for (; at < end; ++at)
            found += report.coarseRanks[at] < static_cast<double>(cut);
        if (outcome.exact > 0)
            recall.tokens.push_back(static_cast<double>(found) / static_cast<double>(outcome.exact));
    }
    summarise(recall);
    return recall;
}

RecallAtCut recallOf(const EncoderReport& report)
{
    RecallAtCut recall;
    for (const TokenOutcome& outcome : report.outcomes)
        if (outcome.exact > 0)
            recall.tokens.push_back(outcome.recall);
    summarise(recall);
    return recall;
}

std::vector<MissedLatent> missedAtCut(const EncoderReport& report, std::int64_t cut, std::size_t most)
{
    std::map<std::int32_t, MissedLatent> latents;
    const std::size_t count = std::min(report.exactLatents.size(), report.coarseRanks.size());
    for (std::size_t i = 0; i < count; ++i) {
        MissedLatent& latent = latents[report.exactLatents[i]];
        latent.latent = report.exactLatents[i];
        ++latent.active;
        latent.count += report.coarseRanks[i] >= static_cast<double>(cut);
    }
    std::vector<MissedLatent> missed;
    for (const auto& [index, latent] : latents)
        if (latent.count > 0)
            missed.push_back(latent);
    std::ranges::stable_sort(missed, [](const auto& a, const auto& b) { return a.count > b.count; }); // equal ones by latent
    missed.resize(std::min(missed.size(), most));
    return missed;
}

Series recallCurve(const EncoderReport& report)
{
    Series curve;
    const auto ranks = sortedRanks(report);
    if (ranks.empty())
        return curve;
    const auto latents = static_cast<double>(std::max<std::int64_t>(report.latents, 1));
    for (std::size_t i = 0; i < kCurvePoints; ++i) {
        const double cut = std::round(std::pow(latents, static_cast<double>(i) / static_cast<double>(kCurvePoints - 1)));
        if (!curve.points.empty() && cut <= curve.points.back().x)
            continue;
        const auto found = std::lower_bound(ranks.begin(), ranks.end(), cut) - ranks.begin();
        curve.points.push_back({cut, static_cast<double>(found) / static_cast<double>(ranks.size())});
    }
    return curve;
}

std::int64_t cutForRecall(const EncoderReport& report, double share)
{
    const auto ranks = sortedRanks(report);
    if (ranks.empty())
        return 0;
    const auto wanted = static_cast<std::size_t>(std::ceil(std::clamp(share, 0.0, 1.0) * static_cast<double>(ranks.size())));
    return wanted == 0 ? 0 : static_cast<std::int64_t>(ranks[wanted - 1]) + 1;
}

Histogram coarsePlaces(const EncoderReport& report)
{
    std::vector<double> places;
    places.reserve(report.coarseRanks.size());
    for (const double rank : report.coarseRanks)
        places.push_back(rank + 1);
    return placeHistogram(places, std::max<std::int64_t>(report.latents, 1));
}

double expectedSurvivors(std::int64_t latents, std::int64_t k, double bound)
{
    const auto tail = [](double x) { return 0.5 * std::erfc(x / std::sqrt(2.0)); };
    const double share = static_cast<double>(k) / static_cast<double>(latents);
    double low = -40, high = 40; // where the tail is 1 and 0
    for (int i = 0; i < 200; ++i) {
        const double middle = (low + high) / 2;
        (tail(middle) > share ? low : high) = middle;
    }
    return static_cast<double>(latents) * tail(low - 2 * bound);
}

} // namespace tamis::report
