// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/session/session_state.h"

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

} // namespace tamis::app
