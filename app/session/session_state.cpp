// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/session/session_state.h"

#include <algorithm>
#include <cmath>

namespace tamis::app {
namespace {
bool same(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }
} // namespace

bool KeptPoint::operator==(const KeptPoint& other) const
{
    return label == other.label && settings == other.settings && same(keep, other.keep) && same(relativeLoss, other.relativeLoss) &&
           cost.parameters == other.cost.parameters && cost.bytes == other.cost.bytes && cost.macs == other.cost.macs &&
           same(cost.latencyMs, other.cost.latencyMs) && baseline == other.baseline;
}

std::string settingsLine(const Settings& settings)
{
    std::string line = settings.method;
    for (const auto& [name, value] : settings.parameters.all())
        if (const std::string text = toText(value); text != "false")
            line += ", " + name + (text == "true" ? "" : " " + text);
    const auto& budget = settings.budget;
    line += ", keep " + toText(std::round(budget.keep * 1000) / 10) + " %";
    line += ", " + std::string(plan::allocationName(budget.allocation)) + ", " + std::string(plan::accountingName(budget.accounting));
    if (budget.alignment > 1)
        line += ", ranks of " + std::to_string(budget.alignment);
    if (!budget.overrides.empty())
        line += ", " + std::to_string(budget.overrides.size()) + " by hand";
    return line;
}

void setPlace(AttentionChoice& choice, AttentionPlace place)
{
    auto& places = choice.places;
    std::erase_if(places, [&](const AttentionPlace& each) { return each.block == place.block && (place.head < 0 || each.head == place.head); });
    const auto key = [](const AttentionPlace& each) { return std::pair(each.block, each.head); };
    places.insert(std::ranges::upper_bound(places, key(place), {}, key), std::move(place));
}

bool forgetPlace(AttentionChoice& choice, int block, std::int64_t head)
{
    const auto* of = findPlace(choice, block, head);
    if (!of)
        return false;
    choice.places.erase(choice.places.begin() + (of - choice.places.data()));
    return true;
}

const AttentionPlace* findPlace(const AttentionChoice& choice, int block, std::int64_t head)
{
    const AttentionPlace* found = nullptr; // a block comes before its heads
    for (const auto& each : choice.places)
        if (each.block == block && (each.head < 0 || each.head == head))
            found = &each;
    return found;
}

std::vector<report::OperatingPoint> operatingPoints(const std::vector<KeptPoint>& points)
{
    std::vector<report::OperatingPoint> shown;
    for (const auto& point : points)
        shown.push_back({point.label, settingsLine(point.settings), point.keep, point.cost, point.relativeLoss, true, point.baseline});
    for (auto& a : shown) {
        a.onFront = !std::isnan(a.relativeLoss);
        for (const auto& b : shown) {
            const bool noWorse = b.cost.parameters <= a.cost.parameters && b.relativeLoss <= a.relativeLoss;
            const bool better = b.cost.parameters < a.cost.parameters || b.relativeLoss < a.relativeLoss;
            if (noWorse && better)
                a.onFront = false;
        }
    }
    return shown;
}

bool standsAlone(const SessionState& state) { return !state.encoder.autoencoder.empty() || !state.cache.trace.empty(); }

void keepOpened(SessionState& next, const SessionState& before)
{
    next.encoder = before.encoder;
    next.cache = before.cache;
    next.fleet = before.fleet;
    next.hierarchy = before.hierarchy;
    next.plannedCache = before.plannedCache;
    next.reuse = before.reuse;
    next.selection.reuseFrame = before.selection.reuseFrame;
    next.selection.encoderPage = before.selection.encoderPage;
    next.selection.encoderToken = before.selection.encoderToken;
    next.selection.cachePage = before.selection.cachePage;
    next.selection.cacheStep = before.selection.cacheStep;
}

} // namespace tamis::app
